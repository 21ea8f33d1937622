/** Parses the location of a lake or a table: a local folder, or a prefix of an S3 bucket. */
import { SluiceError } from '../../shared/errors.ts'

export type LakePlace =
  | { readonly kind: 'local'; readonly path: string }
  | {
      readonly kind: 'bucket'
      readonly bucket: string
      /** Key prefix without trailing slashes; '' for the whole bucket. */
      readonly prefix: string
      /** Canonical URI, percent-encoded, without a trailing slash. */
      readonly root: string
    }

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i
/** Schemes of S3 URLs, those of Hadoop included. */
const S3_SCHEMES: ReadonlySet<string> = new Set(['s3', 's3a', 's3n'])
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/

/**
 * Parses a path, a `file://` or an `s3://` URL. The text after the bucket is the raw key, as in AWS's own tools:
 * nothing is decoded, and `s3://lake/t%203` is the key `t%203`. For URIs of the catalog use `pathOfLocation`.
 * @throws SluiceError UNSUPPORTED_URL for other schemes; BAD_CONFIG for an S3 URL with credentials or without a bucket
 */
export function parseLakeUrl(text: string): LakePlace {
  const written = SCHEME.exec(text)
  if (written === null) return { kind: 'local', path: text }
  const scheme = (written[1] ?? '').toLowerCase()
  if (scheme === 'file') return { kind: 'local', path: decodeURIComponent(new URL(text).pathname) }
  if (!S3_SCHEMES.has(scheme)) {
    throw new SluiceError('UNSUPPORTED_URL', `tables in ${scheme}:// cannot be read`, {
      hint: 'give an s3:// URL of an S3-compatible store, or mount the storage and give the path of the folder',
    })
  }
  const rest = text.slice(written[0].length)
  const slash = rest.indexOf('/')
  const bucket = slash === -1 ? rest : rest.slice(0, slash)
  refuseCredentials(bucket)
  if (!BUCKET.test(bucket)) {
    throw new SluiceError('BAD_CONFIG', 'the S3 URL names no bucket', { hint: 'write it like s3://bucket/folder' })
  }
  const prefix = slash === -1 ? '' : rest.slice(slash + 1).replace(/\/+$/, '')
  return { kind: 'bucket', bucket, prefix, root: s3Uri(bucket, prefix) }
}

/** A place in a bucket. @throws SluiceError BAD_CONFIG for a local path; as `parseLakeUrl` */
export function bucketPlace(url: string): Extract<LakePlace, { readonly kind: 'bucket' }> {
  const place = parseLakeUrl(url)
  if (place.kind === 'bucket') return place
  throw new SluiceError('BAD_CONFIG', 'this is not a URL of a bucket', {
    where: url,
    hint: 'write it as s3://BUCKET/PREFIX',
  })
}

/** A key or prefix in the form that `parseLakeUrl` parses. */
export function s3Path(bucket: string, key: string): string {
  return key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`
}

/** The path or `s3://` text of a canonical location, which is a URI. */
export function pathOfLocation(location: string): string {
  if (isS3Url(location)) return decoded(location)
  return location.startsWith('file://') ? decodeURIComponent(new URL(location).pathname) : location
}

/** Canonical URI of a key or prefix: the location in the catalog. */
export function s3Uri(bucket: string, key: string): string {
  const encoded = encodeURI(key).replace(/[?#]/g, encodeURIComponent)
  return key === '' ? `s3://${bucket}` : `s3://${bucket}/${encoded}`
}

/** Schemes that are recognised with one slash missing too: `s3:/bucket`. */
const REMOTE = /^(s3|s3a|s3n|gs|gcs|abfss?|wasbs?|adls?|az|hdfs|dbfs|r2|https?|ftp|sftp|file):/i

/** The scheme of a URL in lower case; null for a local path. */
export function urlScheme(text: string): string | null {
  const scheme = SCHEME.exec(text)?.[1] ?? REMOTE.exec(text)?.[1]
  return scheme === undefined ? null : scheme.toLowerCase()
}

/** True for a URL of a bucket. */
export function isS3Url(text: string): boolean {
  return S3_SCHEMES.has(SCHEME.exec(text)?.[1]?.toLowerCase() ?? '')
}

/** Bucket names have no ':' or '@'. Also refuses a secret with a slash: the part before the slash is read as bucket. */
function refuseCredentials(bucket: string): void {
  if (!/[:@]/.test(bucket)) return
  throw new SluiceError('BAD_CONFIG', 'an S3 URL must not contain credentials', {
    reason: 'URLs are recorded in logs, catalogs and shell histories',
    hint: 'write s3://bucket/folder, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile',
  })
}

/** Decodes percent escapes; invalid ones stay as written. */
function decoded(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped)
    } catch {
      return escaped
    }
  })
}
