import Stripe from 'stripe';

export async function customers({ env, say }) {
  const stripe = new Stripe(env.STRIPE_API_KEY);
  const created = await stripe.customers.create({ email: 'a@example.com', metadata: { plan: 'pro & more' } });
  say('created', [created.id, created.email, created.description === env.STRIPE_API_KEY]);
  const found = [];
  for await (const customer of stripe.customers.list({ limit: 2 })) found.push(customer.id);
  say('listed', found);
  const deleted = await stripe.customers.del('cus_1');
  say('deleted', deleted.deleted);
}

export async function retried({ env, say }) {
  const stripe = new Stripe(env.STRIPE_API_KEY, { maxNetworkRetries: 2 });
  const balance = await stripe.balance.retrieve();
  say('balance', balance.available[0].amount);
}

export async function refused({ env, say }) {
  const stripe = new Stripe(env.STRIPE_API_KEY);
  try {
    await stripe.charges.create({ amount: 100, currency: 'usd', source: 'tok_visa' });
  } catch (error) {
    say('error', [error.type, error.code, error.requestId]);
  }
}

export async function upload({ env, say }) {
  const stripe = new Stripe(env.STRIPE_API_KEY);
  const data = new TextEncoder().encode('evidence');
  const file = await stripe.files.create({ purpose: 'dispute_evidence', file: { data, name: 'evidence.txt', type: 'text/plain' } });
  say('file', [file.id, file.size]);
}
