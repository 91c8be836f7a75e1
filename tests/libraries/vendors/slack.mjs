import { LogLevel, WebClient } from '@slack/web-api';

const slack = new WebClient(process.env.SLACK_BOT_TOKEN, { logLevel: LogLevel.ERROR, retryConfig: { retries: 0 } });
await slack.auth.test();
await slack.conversations.list({ limit: 2 });
await slack.users.info({ user: 'U1' });
await slack.chat.postMessage({ channel: 'C1', text: 'price & <order>', blocks: [{ type: 'divider' }] });

// What the manifest is not for.
await slack.chat.delete({ channel: 'C1', ts: '1.0' });
await slack.conversations.history({ channel: 'C1' });
