/** Checks of `doctor` for a bucket: which credentials are used, and where requests are sent. */
import { parseLakeUrl } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { PreflightTarget } from '../common/preflight-port.ts'
import { findCredentials } from './credentials.ts'
import { needsSdk } from './credentials-sdk.ts'
import { endpointOf, objectUrl } from './endpoint.ts'
import { readProfile, type Env, type Profile } from './profile.ts'

/** @throws SluiceError BAD_CONFIG, SOURCE_DENIED if there are no credentials */
export async function s3Credentials(
  path: string,
): Promise<{ readonly found: string; readonly target: PreflightTarget }> {
  const { env } = process
  const profile = await readProfile(env)
  const endpoint = endpointOf(env, profile)
  const place = parseLakeUrl(path)
  if (place.kind !== 'bucket') throw new SluiceError('INTERNAL', `${path} is not a bucket`)
  const { hostname, port, protocol } = new URL(objectUrl(endpoint, endpoint.region, place.bucket, '', ''))
  const found = await findCredentials(env, profile, endpoint.region)
  return {
    found: found === null ? 'none: requests are anonymous (AWS_NO_SIGN_REQUEST)' : originOf(env, profile),
    target: { kind: 'host', host: hostname, port: Number(port) || (protocol === 'http:' ? 80 : 443) },
  }
}

/** Source of the credentials, in the order of the search; never their values. */
function originOf(env: Env, profile: Profile): string {
  const { name, settings } = profile
  const isSet = (variable: string): boolean => (env[variable] ?? '').trim() !== ''
  if (isSet('AWS_ACCESS_KEY_ID')) return 'from the environment (AWS_ACCESS_KEY_ID)'
  if (settings.has('aws_access_key_id') || needsSdk(profile)) return `from the profile ${name}`
  if (isSet('AWS_WEB_IDENTITY_TOKEN_FILE') || settings.has('web_identity_token_file')) return 'from a web identity'
  const container = isSet('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') || isSet('AWS_CONTAINER_CREDENTIALS_FULL_URI')
  return container ? 'from the agent of the container' : 'from the metadata service of the instance'
}
