import { Storage } from '@google-cloud/storage';
import { OAuth2Client } from 'google-auth-library';

// The access token is the host's: the library is given one, as where a service account is none of its own.
const authClient = new OAuth2Client();
authClient.setCredentials({ access_token: process.env.GOOGLE_ACCOUNT });
const storage = new Storage({ projectId: 'demo', authClient, retryOptions: { autoRetry: false } });
const bucket = storage.bucket('my-bucket');
const file = bucket.file('reports/a b.txt');
await bucket.getFiles({ prefix: 'reports/' });
await file.save('a report', { resumable: false });
await file.getMetadata();
await file.download({ validation: false });

// What the manifest is not for.
await file.delete();
await bucket.setMetadata({ lifecycle: { rule: [] } });
await bucket.iam.getPolicy();
await storage.createBucket('another');
