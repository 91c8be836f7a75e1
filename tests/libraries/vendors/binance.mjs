import binance from '../node_modules/ccxt/js/src/binance.js';

const exchange = new binance({
  apiKey: process.env.BINANCE_API_KEY,
  secret: process.env.BINANCE_SECRET,
  options: { fetchCurrencies: false, fetchMargins: false, fetchMarkets: { types: ['spot'] } },
  enableRateLimit: false,
});
await exchange.fetchTicker('BTC/USDT');
await exchange.fetchOrderBook('BTC/USDT');
await exchange.fetchBalance();
await exchange.createOrder('BTC/USDT', 'limit', 'buy', 0.001, 50000);
await exchange.fetchOpenOrders('BTC/USDT');
await exchange.fetchOrder('1', 'BTC/USDT');
await exchange.cancelOrder('1', 'BTC/USDT');
await exchange.fetchMyTrades('BTC/USDT');

// What the manifest is not for.
await exchange.withdraw('USDT', 10, '0x0000000000000000000000000000000000000001', undefined, { network: 'ETH' });
await exchange.cancelAllOrders('BTC/USDT');
