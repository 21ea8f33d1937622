/** Maps errors of the S3 client to errors of the target, for writes. */
import { SluiceError, type ErrorCode } from '../../shared/errors.ts'
import { spaceExhausted } from '../../shared/guide-errors.ts'

const OF_TARGET: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  SOURCE_DENIED: 'TARGET_DENIED',
  SOURCE_IO: 'TARGET_IO',
  SOURCE_GONE: 'TARGET_IO',
  LOG_CHANGED: 'TARGET_IO',
}
const NEEDED =
  'the credentials need s3:PutObject, s3:GetObject, s3:ListBucket, s3:DeleteObject and s3:AbortMultipartUpload'
const FULL = /HTTP 507|QuotaExceeded|StorageFull/i

/** @param error of the S3 client, which reports all errors as errors of the source */
export function ofTarget(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error
  const { where, reason, retryable } = error
  if (FULL.test(reason ?? '')) return new SluiceError(...spaceExhausted({ where, cause: error }))
  const code = OF_TARGET[error.code]
  if (code === undefined) {
    if (error.kind !== 'source') return error
    return new SluiceError(error.code, error.message, { ...error.info(), kind: 'target', cause: error })
  }
  const hint = code === 'TARGET_DENIED' && error.hint?.includes('s3:GetObject') === true ? NEEDED : error.hint
  return new SluiceError(code, error.message, {
    where,
    reason,
    hint,
    retryable,
    cause: error,
  })
}

/** Error for a store that does not honour conditional writes. */
export function overwrites(where: string, why: string): SluiceError {
  return new SluiceError('UNSUPPORTED_URL', 'two archivers could overwrite each other in this bucket', {
    where,
    reason: `the store does not honour If-None-Match: ${why}`,
    hint: 'use a store with conditional writes (such as S3, MinIO, R2, Ceph), or an archive on a local disk',
  })
}
