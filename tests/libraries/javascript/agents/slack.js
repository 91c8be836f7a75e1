// The library takes Node's `Buffer` for granted, and asks again for half an hour where its own code throws.
import '../buffer.js';
import { LogLevel, WebClient } from '@slack/web-api';
import { beyond } from '../beyond.js';

const client = (env, options) => new WebClient(env.SLACK_BOT_TOKEN, { logLevel: LogLevel.ERROR, ...options });

export async function messages({ env, say }) {
  const slack = client(env);
  const identity = await slack.auth.test();
  say('identity', [identity.user, identity.bot_id, identity.team === env.SLACK_BOT_TOKEN]);
  const posted = await slack.chat.postMessage({ channel: 'C1', text: 'price & <order>', blocks: [{ type: 'divider' }] });
  say('posted', [posted.ok, posted.ts]);
  const names = [];
  for await (const page of slack.paginate('conversations.list', { limit: 2 })) names.push(...page.channels.map((each) => each.name));
  say('channels', names);
}

// 429 with `retry-after`, which the library waits for.
export async function retried({ env, say }) {
  const found = await client(env).users.info({ user: 'U1' });
  say('user', found.user.name);
}

export async function refused({ env, say }) {
  try {
    await client(env).chat.postMessage({ channel: 'C9', text: 'x' });
  } catch (error) {
    say('error', [error.code, error.data.error]);
  }
}

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
export async function documented({ env }) {
  const slack = client(env, { retryConfig: { retries: 0 } });
  await slack.auth.test();
  await slack.conversations.list({ limit: 2 });
  await slack.users.info({ user: 'U1' });
  await slack.chat.postMessage({ channel: 'C1', text: 'price & <order>', blocks: [{ type: 'divider' }] });
  await beyond(() => slack.chat.delete({ channel: 'C1', ts: '1.0' }));
  await beyond(() => slack.conversations.history({ channel: 'C1' }));
}
