/** Lakes and logs in S3 and in stores with its protocol. */
export { openS3Lake } from './s3-lake.ts'
export { openS3Log, type S3LogOptions } from './s3-log.ts'
