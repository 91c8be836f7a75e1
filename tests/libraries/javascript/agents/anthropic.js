import Anthropic from '@anthropic-ai/sdk';
import { beyond } from '../beyond.js';

const QUESTION = { model: 'claude-opus-5', max_tokens: 64, messages: [{ role: 'user', content: 'What is the price?' }] };

// A 429 first: the library asks again by itself.
export async function messages({ env, say }) {
  const client = new Anthropic({ apiKey: env.ANTHROPIC_API_KEY });
  const message = await client.messages.create(QUESTION);
  say('answer', message.content[0].text);
  say('echoed', message.content[1].text === env.ANTHROPIC_API_KEY);
}

export async function streaming({ env, say }) {
  const client = new Anthropic({ apiKey: env.ANTHROPIC_API_KEY });
  const stream = await client.messages.create({ ...QUESTION, stream: true });
  for await (const event of stream) say('event', event.type === 'content_block_delta' ? event.delta.text : event.type);
}

// The helper that gathers a stream.
export async function gathered({ env, say }) {
  const client = new Anthropic({ apiKey: env.ANTHROPIC_API_KEY });
  const message = await client.messages.stream(QUESTION).finalMessage();
  say('answer', message.content[0].text);
  say('tokens', message.usage.output_tokens);
}

export async function overloaded({ env, say }) {
  const client = new Anthropic({ apiKey: env.ANTHROPIC_API_KEY, maxRetries: 0 });
  try {
    await client.messages.create(QUESTION);
  } catch (error) {
    say('error', [error instanceof Anthropic.APIError, error.status, error.error.error.type]);
  }
}

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
export async function documented({ env }) {
  // The key in `x-api-key`, and as a bearer token.
  const keyed = new Anthropic({ apiKey: env.ANTHROPIC_API_KEY, maxRetries: 0 });
  const bearing = new Anthropic({ apiKey: null, authToken: env.ANTHROPIC_API_KEY, maxRetries: 0 });
  const { max_tokens, ...counted } = QUESTION;
  for (const client of [keyed, bearing]) {
    await client.messages.create(QUESTION);
    await client.messages.countTokens(counted);
    await client.models.list();
  }
  await beyond(() => keyed.messages.batches.create({ requests: [{ custom_id: '1', params: QUESTION }] }));
  await beyond(() => keyed.messages.batches.delete('batch_1'));
}
