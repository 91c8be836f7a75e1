import { bybit } from '../agents/ccxt.js';

await bybit({ env: process.env });
