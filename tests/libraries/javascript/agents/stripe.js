import Stripe from 'stripe';
import { beyond } from '../beyond.js';

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

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
export async function documented({ env }) {
  const stripe = new Stripe(env.STRIPE_API_KEY, { maxNetworkRetries: 0 });
  await stripe.customers.create({ email: 'a@example.com', metadata: { plan: 'pro & more' } });
  await stripe.customers.update('cus_1', { description: 'A customer' });
  await stripe.customers.retrieve('cus_1');
  await stripe.customers.list({ limit: 3 });
  await stripe.charges.list({ customer: 'cus_1' });
  await stripe.charges.retrieve('ch_1');
  await stripe.invoices.list({ limit: 3 });
  await stripe.invoices.retrieve('in_1');
  await stripe.balance.retrieve();
  await beyond(() => stripe.payouts.create({ amount: 100, currency: 'usd' }));
  await beyond(() => stripe.refunds.create({ charge: 'ch_1' }));
  await beyond(() => stripe.customers.del('cus_1'));
  await beyond(() => stripe.charges.create({ amount: 100, currency: 'usd' }));
}
