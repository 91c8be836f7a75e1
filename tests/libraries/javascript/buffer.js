// What bundlers for workers give libraries that were written for Node alone.
import { Buffer } from 'node:buffer';

globalThis.Buffer ??= Buffer;
