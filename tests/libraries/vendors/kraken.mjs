import { kraken } from '../agents/ccxt.js';

await kraken({ env: process.env });
