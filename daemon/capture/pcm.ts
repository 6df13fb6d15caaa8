/** S16_LE to [-1, 1). `bytes` holds whole samples. */
export function samplesOfS16(bytes: Buffer): Float32Array {
  const samples = new Float32Array(bytes.length / 2);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes.readInt16LE(2 * i) / 32768;
  return samples;
}
