/** Who we are to S3: the standard chain of places that credentials come from, asked in order, and asked again before they expire. */
import { SluiceError } from '../../shared/errors.ts'
import { isoTime } from '../../shared/clock.ts'
import { fromContainer, fromInstance, fromWebIdentity, type Credentials } from './credentials-remote.ts'
import { present, type Env, type Profile } from './profile.ts'

export type { Credentials } from './credentials-remote.ts'

/** Temporary keys are replaced this long before they end. */
const RENEW_BEFORE_MS = 5 * 60_000
/** With keys that still work a failed renewal is tried again only after this time. */
const RENEW_AGAIN_MS = 30_000

/** Keeps credentials while they are good. Null stands for anonymous requests. */
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

  /** @param refused the keys that the store has just called expired @throws SluiceError BAD_CONFIG, SOURCE_DENIED, SOURCE_IO */
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
 * Environment, profile, web identity, container, instance; null with AWS_NO_SIGN_REQUEST=true.
 * @throws SluiceError BAD_CONFIG when none has any, or a profile asks for what is not supported; SOURCE_DENIED, SOURCE_IO
 */
export async function findCredentials(env: Env, profile: Profile, region: string): Promise<Credentials | null> {
  if (/^(?:true|1|yes)$/i.test(present(env['AWS_NO_SIGN_REQUEST']) ?? '')) return null
  const found =
    fromEnvironment(env) ??
    fromProfile(profile) ??
    (await fromWebIdentity(env, profile, region)) ??
    (await fromContainer(env)) ??
    (await fromInstance(env))
  if (found === null) {
    throw new SluiceError('BAD_CONFIG', 'no AWS credentials were found', {
      reason: 'neither the environment, a profile, a web identity, a container nor the instance has any',
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket AWS_NO_SIGN_REQUEST=true',
    })
  }
  if (found.expires !== undefined && found.expires <= Date.now()) {
    throw new SluiceError('SOURCE_DENIED', 'the AWS credentials that were found have expired', {
      reason: `they ended at ${isoTime(found.expires)}`,
      hint: 'sign in again, and check the clock of this machine',
    })
  }
  return found
}

function fromEnvironment(env: Env): Credentials | null {
  const accessKeyId = present(env['AWS_ACCESS_KEY_ID'])
  const secretAccessKey = present(env['AWS_SECRET_ACCESS_KEY'])
  if (accessKeyId === undefined && secretAccessKey === undefined) return null
  return pair(accessKeyId, secretAccessKey, present(env['AWS_SESSION_TOKEN']), 'the environment')
}

const UNSUPPORTED = [
  ['source_profile', 'takes a role through another profile'],
  ['credential_source', 'takes a role through another source'],
  ['credential_process', 'starts a program for its credentials'],
  ['sso_session', 'signs in through SSO'],
  ['sso_account_id', 'signs in through SSO'],
] as const

function fromProfile({ name, settings }: Profile): Credentials | null {
  const accessKeyId = settings.get('aws_access_key_id')
  const secretAccessKey = settings.get('aws_secret_access_key')
  const chained = UNSUPPORTED.find(([setting]) => settings.has(setting))
  if (chained !== undefined && (accessKeyId === undefined || chained[0] === 'source_profile')) {
    throw new SluiceError('BAD_CONFIG', `the AWS profile ${name} ${chained[1]}, which sluice does not do`, {
      hint: `put the keys into the environment first: eval "$(aws configure export-credentials --profile ${name} --format env)"`,
    })
  }
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
    throw new SluiceError('BAD_CONFIG', `${place} has only half of the AWS credentials: ${missing} is missing`)
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}
