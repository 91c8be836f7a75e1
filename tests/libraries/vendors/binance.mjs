import { binance } from '../agents/ccxt.js';

await binance({ env: process.env });
