// What browsers have and the engine lacks (Encoding Standard, 7.5).
globalThis.TextDecoderStream ??= class extends TransformStream {
  constructor(label = 'utf-8', options = {}) {
    const decoder = new TextDecoder(label, options);
    const hand = (text, controller) => text && controller.enqueue(text);
    super({
      transform: (chunk, controller) => hand(decoder.decode(chunk, { stream: true }), controller),
      flush: (controller) => hand(decoder.decode(), controller),
    });
  }
};
