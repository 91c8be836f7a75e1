import bybit from '../node_modules/ccxt/js/src/bybit.js';

const exchange = new bybit({
  apiKey: process.env.BYBIT_API_KEY,
  secret: process.env.BYBIT_SECRET,
  has: { fetchCurrencies: false },
  options: { enableUnifiedMargin: false, enableUnifiedAccount: true, fetchMarkets: { types: ['spot'] } },
  enableRateLimit: false,
});
await exchange.fetchTicker('BTC/USDT');
await exchange.fetchBalance();
await exchange.createOrder('BTC/USDT', 'limit', 'buy', 0.001, 50000);
await exchange.fetchOpenOrders('BTC/USDT');
await exchange.cancelOrder('1', 'BTC/USDT');

// What the manifest is not for.
await exchange.withdraw('USDT', 10, '0x0000000000000000000000000000000000000001', undefined, { network: 'ETH' });
