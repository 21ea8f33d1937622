/** Declares lakes in buckets: name, scheme, credentials, and what they offer. */
import type { LakeDeclaration } from '../declaration.ts'

export const s3: LakeDeclaration = {
  kind: 'bucket',
  wire: true,
  openLog: async (path, options) => (await import('./index.ts')).openS3Log(path, options),
  openLake: async (path) => (await import('./index.ts')).openS3Lake(path),
  openWriter: async (path) => (await import('./log-writer.ts')).openS3LogWriter(path),
  credentials: async (path) => (await import('./preflight.ts')).s3Credentials(path),
}
