import { work } from './octokit.mjs';

const github = await work(process.env.GITHUB_APP);
await github.apps.createInstallationAccessToken({ installation_id: 1234567 });
