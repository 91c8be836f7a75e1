import { coinbase } from '../agents/ccxt.js';

await coinbase({ env: process.env });
