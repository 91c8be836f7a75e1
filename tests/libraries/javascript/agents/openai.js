import OpenAI, { toFile } from 'openai';
import { beyond } from '../beyond.js';

const QUESTION = { model: 'gpt-5', messages: [{ role: 'user', content: 'What is the price?' }] };

// A 429 first: the library asks again by itself.
export async function chat({ env, say }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY });
  const answer = await client.chat.completions.create(QUESTION);
  say('answer', answer.choices[0].message.content);
  say('echoed', answer.system_fingerprint === env.OPENAI_API_KEY);
  say('tokens', answer.usage.total_tokens);
}

export async function streaming({ env, say }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY });
  const stream = await client.chat.completions.create({ ...QUESTION, stream: true });
  for await (const chunk of stream) {
    const { content } = chunk.choices[0].delta;
    say('event', content === env.OPENAI_API_KEY ? 'the key' : content);
  }
  say('done', true);
}

export async function responses({ env, say }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY });
  const stream = await client.responses.create({ model: 'gpt-5', input: 'hello', stream: true });
  for await (const event of stream) say('event', event.type === 'response.output_text.delta' ? event.delta : event.type);
}

export async function upload({ env, say }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY });
  const lines = new TextEncoder().encode('{"prompt":"a"}\n{"prompt":"b"}\n');
  const file = await client.files.create({ file: await toFile(lines, 'lines.jsonl'), purpose: 'fine-tune' });
  say('file', [file.id, file.bytes]);
  const pages = await client.files.list();
  const ids = [];
  for await (const each of pages) ids.push(each.id);
  say('files', ids);
  const deleted = await client.files.delete(file.id);
  say('deleted', deleted.deleted);
}

// An error of the API, with the key in its text.
export async function refused({ env, say }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY });
  try {
    await client.models.retrieve('gpt-6');
  } catch (error) {
    say('error', [error instanceof OpenAI.NotFoundError, error.status, error.code, error.message.includes(env.OPENAI_API_KEY)]);
  }
}

// What the manifest does not allow.
export async function denied({ env, say }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY, maxRetries: 2 });
  try {
    await client.images.generate({ prompt: 'a' });
  } catch (error) {
    say('error', [error instanceof OpenAI.PermissionDeniedError, error.status ?? null]);
  }
}

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
export async function documented({ env }) {
  const client = new OpenAI({ apiKey: env.OPENAI_API_KEY, adminAPIKey: env.OPENAI_API_KEY, maxRetries: 0 });
  await client.chat.completions.create(QUESTION);
  await client.responses.create({ model: 'gpt-5', input: 'What is the price?' });
  await client.embeddings.create({ model: 'text-embedding-3-small', input: 'a price' });
  await client.models.list();
  await client.models.retrieve('gpt-5');
  await beyond(() => client.admin.organization.adminAPIKeys.create({ name: 'another' }));
  await beyond(() => client.models.delete('ft:gpt-5:mine'));
  await beyond(() => client.files.list());
}
