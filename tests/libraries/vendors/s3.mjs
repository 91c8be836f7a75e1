import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutBucketPolicyCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const store = new S3Client({ maxAttempts: 1 });
const OBJECT = { Bucket: 'my-bucket', Key: 'reports/2026/a b.txt' };
await store.send(new PutObjectCommand({ ...OBJECT, Body: 'a report' }));
const { Body } = await store.send(new GetObjectCommand(OBJECT));
await Body.transformToString();
await store.send(new HeadObjectCommand(OBJECT));
await store.send(new ListObjectsV2Command({ Bucket: 'my-bucket', Prefix: 'reports/' }));

// What the manifest is not for.
await store.send(new DeleteObjectCommand(OBJECT));
await store.send(new PutObjectCommand({ ...OBJECT, Key: 'elsewhere.txt', Body: 'a report' }));
await store.send(new PutBucketPolicyCommand({ Bucket: 'my-bucket', Policy: '{}' }));
