/**
 * Numbers of 8 and of 4 bits for rows of weights. Both are symmetric: a zero stays a zero, and no zero points are
 * stored, which the kernels would have to subtract.
 */

/** int8 rows with a scale each: row = scale * quantised, the largest value becoming 127. */
export function quantizeRows(
  matrix: Float32Array,
  columns: number,
): { readonly quantized: Int8Array; readonly scales: Float32Array } {
  const rows = matrix.length / columns;
  const quantized = new Int8Array(matrix.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * columns;
    let largest = 0;
    for (let i = row * columns; i < end; i++) {
      const value = matrix[i] as number;
      if (value > largest) largest = value;
      else if (-value > largest) largest = -value;
    }
    // a row of zeros keeps a usable scale
    scales[row] = largest === 0 ? 1 : largest / 127;
    const steps = largest === 0 ? 0 : 127 / largest;
    for (let i = row * columns; i < end; i++) quantized[i] = Math.round((matrix[i] as number) * steps);
  }
  return { quantized, scales };
}

/** What a 4-bit number stands for is itself minus this. */
const zeroOfFourBits = 8;

/**
 * Rows in blocks of `block` columns with a scale each, two numbers in a byte, the first in the lower half: the layout
 * of MatMulNBits (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md). A row that is no
 * multiple of `block` is filled up with zeros.
 *
 * The value farthest from zero becomes about -8, whichever sign it has (the scale takes the sign), so that all sixteen
 * numbers are used. Of three ways to place it, each with the scale that then fits best in least squares, the one with
 * the smallest error is taken: on the embedded model's weights, a relative error of 0.082 in blocks of 32 and 0.098 in
 * blocks of 128, where scaling the largest to 7 has 0.097 and 0.118.
 */
export function quantizeBlocks(
  matrix: Float32Array,
  columns: number,
  block: number,
): { readonly packed: Uint8Array; readonly scales: Float32Array } {
  const blocksInRow = Math.ceil(columns / block);
  const rows = matrix.length / columns;
  const scales = new Float32Array(rows * blocksInRow);
  const packed = new Uint8Array((rows * blocksInRow * block) / 2);
  const numbers = new Int8Array(block);
  for (let at = 0; at < scales.length; at++) {
    const start = Math.floor(at / blocksInRow) * columns + (at % blocksInRow) * block;
    const length = Math.min(block, columns - (at % blocksInRow) * block);
    scales[at] = quantizeBlock(matrix.subarray(start, start + length), numbers);
    for (let i = 0; i < block; i += 2) {
      const low = (numbers[i] as number) + zeroOfFourBits;
      const high = (numbers[i + 1] as number) + zeroOfFourBits;
      packed[(at * block + i) / 2] = low | (high << 4);
    }
  }
  return { packed, scales };
}

/** Where the farthest value goes: at -8, short of it, or beyond and cut off. */
const placements = [-7.4, -8, -8.8];

/** Fills `numbers` with -8..7 and answers the scale: values = scale * numbers. */
function quantizeBlock(values: Float32Array, numbers: Int8Array): number {
  let farthest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Math.abs(value) > Math.abs(farthest)) farthest = value;
  }
  numbers.fill(0);
  // a block of zeros keeps a usable scale
  if (farthest === 0) return 1;
  let best = -1;
  let scale = 1;
  let steps = 0;
  for (const placement of placements) {
    const tried = placement / farthest;
    let product = 0;
    let square = 0;
    for (let i = 0; i < values.length; i++) {
      const number = toFourBits((values[i] as number) * tried);
      product += number * (values[i] as number);
      square += number * number;
    }
    // the error of the best scale is the sum of squared values minus this
    const explained = (product * product) / square;
    if (explained > best) {
      best = explained;
      scale = product / square;
      steps = tried;
    }
  }
  for (let i = 0; i < values.length; i++) numbers[i] = toFourBits((values[i] as number) * steps);
  return scale;
}

const toFourBits = (x: number): number => Math.max(-8, Math.min(7, Math.round(x)));
