import { Api } from 'grammy';

// The host writes `:` where the token has it: in the placeholder it is a letter like others.
const api = new Api(process.env.TELEGRAM_BOT_TOKEN);
await api.getMe();
await api.getUpdates({ timeout: 0 });
await api.sendMessage(7, 'The price is 12 & more');

// What the manifest is not for.
await api.setWebhook('https://evil.example/');
await api.banChatMember(7, 8);
