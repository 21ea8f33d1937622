/** Credentials for S3: the standard chain of sources, tried in order, and again before the credentials expire. */
import { SluiceError } from '../../shared/errors.ts'
import { isoTime } from '../../shared/clock.ts'
import {
  fromContainer,
  fromInstance,
  fromProfile,
  fromWebIdentity,
  needsSdk,
  type Credentials,
} from './credentials-sdk.ts'
import { presentText, type Env, type Profile } from './profile.ts'

export type { Credentials } from './credentials-sdk.ts'

/** Time before their expiry, ms, at which temporary keys are renewed. */
const RENEW_BEFORE_MS = 5 * 60_000
/** Wait before the next renewal, ms, if a renewal fails while the keys are still valid. */
const RENEW_AGAIN_MS = 30_000

/** Keeps credentials while they are valid. Null means anonymous requests. */
export class CredentialSource {
  readonly #load: () => Promise<Credentials | null>
  readonly #now: () => number
  #current: Credentials | null | undefined
  #pending: Promise<Credentials | null> | null = null
  #notBefore = 0

  constructor(load: () => Promise<Credentials | null>, now: () => number = Date.now) {
    this.#load = load
    this.#now = now
  }

  /**
   * @param refused keys that the store has just refused as expired
   * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, SOURCE_DENIED, SOURCE_IO
   */
  async get(refused?: Credentials | null): Promise<Credentials | null> {
    const current = this.#current
    const unusable = refused !== undefined && refused !== null && refused === current
    if (current !== undefined && !unusable && !this.#shouldRenew(current)) return current
    this.#pending ??= this.#load().finally(() => (this.#pending = null))
    try {
      this.#current = await this.#pending
      return this.#current
    } catch (error) {
      const works = current !== undefined && current !== null && !unusable && (current.expires ?? 0) > this.#now()
      if (!works) throw error
      this.#notBefore = this.#now() + RENEW_AGAIN_MS
      return current
    }
  }

  #shouldRenew(current: Credentials | null): boolean {
    if (current?.expires === undefined) return false
    return this.#now() >= current.expires - RENEW_BEFORE_MS && this.#now() >= this.#notBefore
  }
}

/**
 * Searches environment, profile, web identity, container and instance, in this order; null with
 * AWS_NO_SIGN_REQUEST=true.
 * @throws SluiceError BAD_CONFIG if no source has credentials, or a profile returns none; CONNECT_FAILED,
 * SOURCE_DENIED, SOURCE_IO
 */
export async function findCredentials(env: Env, profile: Profile, region: string): Promise<Credentials | null> {
  if (/^(?:true|1|yes)$/i.test(presentText(env['AWS_NO_SIGN_REQUEST']) ?? '')) return null
  const found =
    fromEnvironment(env) ??
    (takesRole(profile) ? null : keysOf(profile)) ??
    (needsSdk(profile) ? await fromProfile(profile, region) : null) ??
    (await fromWebIdentity(env, profile, region)) ??
    (await fromContainer(env)) ??
    (await fromInstance(env))
  if (found === null) {
    throw new SluiceError('BAD_CONFIG', 'no AWS credentials were found', {
      reason: 'the environment, a profile, a web identity, a container and the instance were searched',
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket AWS_NO_SIGN_REQUEST=true',
    })
  }
  if (found.expires !== undefined && found.expires <= Date.now()) {
    // As if the store had refused them: newer ones may come.
    throw new SluiceError('CONNECT_FAILED', 'the AWS credentials have expired', {
      kind: 'source',
      reason: `they expired at ${isoTime(found.expires)}`,
      hint: 'sign in again, and check the clock of this machine',
    })
  }
  return found
}

function fromEnvironment(env: Env): Credentials | null {
  const accessKeyId = presentText(env['AWS_ACCESS_KEY_ID'])
  const secretAccessKey = presentText(env['AWS_SECRET_ACCESS_KEY'])
  if (accessKeyId === undefined && secretAccessKey === undefined) return null
  return pair(accessKeyId, secretAccessKey, presentText(env['AWS_SESSION_TOKEN']), 'the environment')
}

/** True if the profile assumes a role: its own keys are then used only for that. */
function takesRole({ settings }: Profile): boolean {
  return settings.has('role_arn') && (settings.has('source_profile') || settings.has('credential_source'))
}

function keysOf({ name, settings }: Profile): Credentials | null {
  const accessKeyId = settings.get('aws_access_key_id')
  const secretAccessKey = settings.get('aws_secret_access_key')
  if (accessKeyId === undefined && secretAccessKey === undefined) return null
  return pair(accessKeyId, secretAccessKey, settings.get('aws_session_token'), `the AWS profile ${name}`)
}

function pair(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken: string | undefined,
  place: string,
): Credentials {
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = accessKeyId === undefined ? 'the access key id' : 'the secret access key'
    throw new SluiceError('BAD_CONFIG', `the AWS credentials of ${place} are incomplete: ${missing} is missing`, {
      hint: 'set both the access key id and the secret access key',
    })
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}
