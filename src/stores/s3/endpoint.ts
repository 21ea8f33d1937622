/** Host and URL of a request to a bucket. */
import { SluiceError } from '../../shared/errors.ts'
import { presentText, type Env, type Profile } from './profile.ts'

export type Endpoint = {
  /** Origin of a store other than AWS; null for AWS. */
  readonly custom: string | null
  readonly region: string
}

/** @throws SluiceError BAD_CONFIG if the endpoint is not an http or https URL */
export function endpointOf(env: Env, profile: Profile): Endpoint {
  const region =
    presentText(env['AWS_REGION']) ??
    presentText(env['AWS_DEFAULT_REGION']) ??
    profile.settings.get('region') ??
    'us-east-1'
  const written =
    presentText(env['AWS_ENDPOINT_URL_S3']) ??
    presentText(env['AWS_ENDPOINT_URL']) ??
    profile.settings.get('endpoint_url')
  if (written === undefined) return { custom: null, region }
  const url = URL.canParse(written) ? new URL(written) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new SluiceError('BAD_CONFIG', 'the S3 endpoint is not an http or https URL', {
      hint: 'set AWS_ENDPOINT_URL_S3 like https://storage.example.com',
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new SluiceError('BAD_CONFIG', 'the S3 endpoint URL must not contain credentials', {
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile',
    })
  }
  return { custom: url.origin + url.pathname.replace(/\/+$/, ''), region }
}

/**
 * URL of a request. It is path-style for stores other than AWS, and for bucket names with dots, which AWS's
 * certificates do not cover. Otherwise the bucket is in the host name.
 */
export function objectUrl(endpoint: Endpoint, region: string, bucket: string, key: string, query: string): string {
  const path = key.split('/').map(encoded).join('/')
  const tail = query === '' ? '' : `?${query}`
  if (endpoint.custom !== null) return `${endpoint.custom}/${bucket}/${path}${tail}`
  const host = `s3.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
  return bucket.includes('.') || bucket.includes('_') || /[A-Z]/.test(bucket)
    ? `https://${host}/${bucket}/${path}${tail}`
    : `https://${bucket}.${host}/${path}${tail}`
}

/** Query text, such as `a=b&c=d`. All characters that RFC 3986 reserves are escaped. */
export function queryText(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join('&')
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
