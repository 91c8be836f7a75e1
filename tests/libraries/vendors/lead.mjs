// Before a library is loaded: each connection of this process leads to the recorder, whatever it is for. Names, and certificates for them, are
// checked as ever.
import { Socket } from 'node:net';

const connect = Socket.prototype.connect;
Socket.prototype.connect = function (first, ...rest) {
  // Node's own callers have an array of what they were called with.
  const normal = Array.isArray(first);
  const [options, ...others] = normal ? first : [first, ...rest];
  const led = { ...options, host: '127.0.0.1', port: Number(process.env.RECORDER), path: undefined };
  if (!normal) return connect.call(this, led, ...others);
  const args = [led, ...others];
  for (const mark of Object.getOwnPropertySymbols(first)) args[mark] = first[mark];
  return connect.call(this, args);
};
