import axios, { AxiosError } from 'axios';

const client = (env) => axios.create({ baseURL: 'https://api.exchange.example', headers: { 'x-api-key': env.EXCHANGE_KEY } });

export async function calls({ env, say }) {
  const api = client(env);
  const price = await api.get('/v1/price', { params: { pair: 'ETH-USD', depth: [1, 2], note: "it's; 100%" } });
  say('price', [price.status, price.data.price, price.data.key === env.EXCHANGE_KEY]);
  const order = await api.post('/v1/orders', { side: 'sell', amount: '0.05' });
  say('order', [order.status, order.data.id, order.headers['x-request-id']]);
  const gone = await api.delete('/v1/orders/7');
  say('gone', [gone.status, gone.data]);
}

// A POST without a body: its length is 0, and it is said.
export async function bodies({ env, say }) {
  const answer = await client(env).post('/v1/orders/7/cancel');
  say('answer', answer.data.cancelled);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const encoded = await client(env).post('/v1/forms', { a: '1', b: 'x y' }, { headers });
  say('encoded', encoded.data.ok);
}

export async function form({ env, say }) {
  const form = new FormData();
  form.append('note', 'a receipt');
  form.append('file', new Blob(['%PDF-1.7 …'], { type: 'application/pdf' }), 'receipt.pdf');
  const answer = await client(env).post('/v1/files', form);
  say('answer', answer.data.size);
}

// 429, then the answer, by an interceptor as people write it.
export async function retried({ env, say }) {
  const api = client(env);
  let tries = 0;
  api.interceptors.response.use(undefined, (error) => {
    if (!(error instanceof AxiosError) || error.response?.status !== 429 || tries++ > 2) throw error;
    return api.request(error.config);
  });
  const answer = await api.get('/v1/account');
  say('answer', [tries, answer.data.balance]);
}

// A token that the API gives for the session, sent back as it asks for it.
export async function session({ env, say }) {
  const api = client(env);
  const token = (await api.get('/v1/session')).headers['x-csrf-token'];
  const answer = await api.post('/v1/orders', { side: 'buy' }, { headers: { 'x-csrf-token': token } });
  say('answer', answer.data.id);
}

export async function conditional({ env, say }) {
  const api = client(env);
  const first = await api.get('/v1/document');
  const again = await api.get('/v1/document', { headers: { 'if-none-match': first.headers.etag }, validateStatus: (s) => s < 400 });
  say('again', again.status);
  const written = await api.put('/v1/document', { text: 'new' }, { headers: { 'if-match': first.headers.etag } });
  say('written', written.status);
}

// A URL of the API's, signed for one upload: it is used as it comes, without the key.
export async function signed({ env, say }) {
  const { url } = (await client(env).post('/v1/uploads', { name: 'report.txt' })).data;
  say('place', url.split('?')[0]);
  const written = await axios.put(url, 'a report', { headers: { 'content-type': 'text/plain' } });
  say('written', written.status);
}

// What the manifest does not allow.
export async function denied({ env, say }) {
  try {
    await client(env).get('/v2/admin');
  } catch (error) {
    say('error', [error.name, error.response?.status ?? null, error.response?.headers['strongroom-denial'] ?? null]);
  }
}
