/**
 * The contract between the compiler, which writes the graphs of a Whisper, and the decoder loop, which runs them.
 * H heads of width W (H * W = model width D), V vocabulary, L decoder layers.
 *
 * encoder.onnx: sound in, cross-attention keys and values out, computed once an utterance.
 *   in   pcm                    float32 [samples]        mono 16 kHz, a multiple of 320, at least 640
 *   out  cross_key_{i}          float32 [1, H, T, W]     i < L, T = samples / 320
 *        cross_value_{i}        float32 [1, H, T, W]
 *        log_mel                float32 [1, mels, 2T]    only in graphs compiled with `inspect`
 *        hidden                 float32 [1, T, D]        only in graphs compiled with `inspect`
 *
 * decoder.onnx: one graph for the prompt (S tokens at once) and for the steps after it (S = 1). It goes on by itself: a
 * run of several steps feeds itself the token it chose, until that is the end of the text. Greedy decoding needs few
 * runs then, and what a run costs outside its graph is paid a few times an utterance. A step can also feed a token to each
 * of B texts of equal length about the same sound (beam search); B = 1 elsewhere.
 *   in   steps                  int64   []               steps at most; more than one only where B = S = R = 1
 *        tokens                 int64   [B, S]           S = 1 where B > 1
 *        last_position          int32   [B]              total tokens so far including these, minus one, for each text
 *        total_tokens           int32   []               total tokens so far including these
 *        logit_rows             int64   [R]              which of the B * S positions to compute logits for
 *        phase                  int64   [1]              0: the first sampled token (begin-suppression applies), 1: later
 *        timestamp_rules        int64   [4]              only in graphs of models that write timestamps; what may follow:
 *                                                        expected    0 anything: no rules, 1 a first timestamp,
 *                                                                    2 text or the end of a piece, 3 text,
 *                                                                    4 the start of a next piece or the end of the text
 *                                                        latest      timestamp so far; this and the next two in steps
 *                                                                    of 20 ms, -1 if there is none
 *                                                        maxInitial  the first timestamp is no later
 *                                                        last        no timestamp is later
 *        self_key_{i}           float32 [B, H, C, W]     C = capacity of the cache, at least the total after all steps
 *        self_value_{i}         float32 [B, H, C, W]
 *        cross_key_{i}          float32 [1, H, T, W]     as the encoder put them out
 *        cross_value_{i}        float32 [1, H, T, W]
 *   out  token                  int64   [N]              chosen after the last row of each step, N <= steps: arg-max after
 *                                                        suppression and rules
 *        log_prob               float32 [N]              log-softmax after suppression and rules, at `token`
 *        no_speech_prob         float32 [R]              softmax before suppression, at the no-speech token; [1] and 0
 *                                                        in phase 1; absent if the model has no such token
 *        logits                 float32 [R, V]           of the last step, after suppression (suppressed entries are
 *                                                        -inf) and before rules
 *        cross_weights_{i}      float32 [1, H, S, T]     attention of layer i; only in graphs compiled with `alignment`
 *        present_self_key_{i}, present_self_value_{i}    float32 [B, H, C, W]; may be the very tensors fed as
 *                                                        self_key_{i}, self_value_{i}
 */

/** What the decoder loop must know of a model's shape; everything else is inside the graphs. */
export type WhisperShape = {
  readonly melBins: number;
  readonly modelWidth: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly decoderHeads: number;
  readonly headWidth: number;
  readonly vocabularySize: number;
  /** Text positions the decoder knows, prompt included. */
  readonly maxTextTokens: number;
  /** Encoder positions (20 ms each) the model knows: 1500 is 30 s. */
  readonly maxAudioFrames: number;
};

/** Samples that make one encoder position: two mel hops of 160. */
export const samplesPerAudioFrame = 320;
