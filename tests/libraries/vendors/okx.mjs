import { okx } from '../agents/ccxt.js';

await okx({ env: process.env });
