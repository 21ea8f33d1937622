/** Credentials from AWS's own library: profiles, web identities, containers, instances. Not loaded for plain keys. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { SluiceError } from '../../shared/errors.ts'
import { presentText, type Env, type Profile } from './profile.ts'

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Time of expiry, ms since the epoch; absent for keys that do not expire. */
  readonly expires?: number
}

type Found = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

const REQUEST_TIMEOUT_MS = 10_000
const CONTAINER_TIMEOUT_MS = 2_000
/** Limit for a profile's program, ms: it may ask the user, or start a browser. */
const PROFILE_TIMEOUT_MS = 60_000
/**
 * Limit for the metadata service, ms. It is short, because outside of an EC2 instance no service answers, and the user
 * waits this long for the error.
 */
const INSTANCE_TIMEOUT_MS = 1_000

const quiet = (): void => undefined
/** Logger that writes nothing. Without a logger, the library warns on the console. */
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
const clientConfig = {
  requestHandler: {
    connectionTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    throwOnRequestTimeout: true,
  },
}

/** Settings that a profile has if only the library can get its credentials. */
const OF_PROFILE = [
  'source_profile',
  'credential_source',
  'credential_process',
  'sso_session',
  'sso_account_id',
  'login_session',
] as const

/** True if a profile assumes a role, signs in through SSO, or starts a program for its credentials. */
export function needsSdk({ settings }: Profile): boolean {
  return OF_PROFILE.some((setting) => settings.has(setting))
}

async function library(): Promise<typeof import('@aws-sdk/credential-providers')> {
  // Otherwise the library warns on stderr, at any call, that it will drop support for a version of Node.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
  return await import('@aws-sdk/credential-providers')
}

/**
 * Credentials of a profile for which `needsSdk` is true. Runs its `credential_process`, which the user's config names.
 * @throws SluiceError BAD_CONFIG, SOURCE_DENIED, SOURCE_IO
 */
export async function fromProfile({ name, settings, files }: Profile, region: string): Promise<Credentials> {
  const { fromIni } = await library()
  const provider = fromIni({
    profile: name,
    ...files,
    ignoreCache: true,
    logger,
    clientConfig,
    parentClientConfig: { region },
  })
  return await fetchCredentials(provider(), `the AWS profile ${name}`, PROFILE_TIMEOUT_MS, (message) => {
    const start = `the AWS profile ${name} returned no credentials`
    // The source profile of a role may also start a program.
    if (settings.has('credential_process') || isOfProgram(message)) {
      // The message is left out, because it would repeat the command and the program's output.
      return new SluiceError('BAD_CONFIG', start, {
        reason: 'its credential_process ended with an error, or printed no valid credentials',
        hint: 'run the program of credential_process by hand to see its error',
      })
    }
    const sso = settings.has('sso_session') || settings.has('sso_account_id')
    return new SluiceError(sso ? 'SOURCE_DENIED' : 'BAD_CONFIG', start, {
      reason: message,
      hint: sso
        ? `sign in again: aws sso login --profile ${name}`
        : `put the keys into the environment first: eval "$(aws configure export-credentials --profile ${name} --format env)"`,
    })
  })
}

/** Credentials from AssumeRoleWithWebIdentity; null if no token file and role are set. */
export async function fromWebIdentity(env: Env, profile: Profile, region: string): Promise<Credentials | null> {
  const file = presentText(env['AWS_WEB_IDENTITY_TOKEN_FILE']) ?? profile.settings.get('web_identity_token_file')
  const role = presentText(env['AWS_ROLE_ARN']) ?? profile.settings.get('role_arn')
  if (file === undefined || role === undefined) return null
  const webIdentityToken = await tokenIn(file)
  const { fromWebToken } = await library()
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const provider = fromWebToken({
    webIdentityToken,
    roleArn: role,
    roleSessionName: presentText(env['AWS_ROLE_SESSION_NAME']) ?? `sluice-${process.pid}`,
    logger,
    // Set explicitly: AWS_ENDPOINT_URL is the bucket's endpoint, and the token must go to the token service only.
    clientConfig: {
      ...clientConfig,
      region,
      endpoint: presentText(env['AWS_ENDPOINT_URL_STS']) ?? `https://sts.${region}.${suffix}`,
    },
  })
  const who = 'the AWS token service'
  return await fetchCredentials(provider(), who, 2 * REQUEST_TIMEOUT_MS, () => refused(who, undefined))
}

/** Credentials from the agent next to a container (ECS, EKS Pod Identity); null if no agent is set. */
export async function fromContainer(env: Env): Promise<Credentials | null> {
  const relative = presentText(env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'])
  const full = presentText(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'])
  if (relative === undefined && full === undefined) return null
  const { fromHttp } = await library()
  const tokenFile = presentText(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'])
  const token =
    tokenFile === undefined ? presentText(env['AWS_CONTAINER_AUTHORIZATION_TOKEN']) : await tokenIn(tokenFile)
  // Empty values are passed, because the library would otherwise use the variable of the process.
  const provider = fromHttp({
    awsContainerCredentialsRelativeUri: relative ?? '',
    awsContainerCredentialsFullUri: relative === undefined ? (full ?? '') : '',
    awsContainerAuthorizationToken: token ?? '',
    awsContainerAuthorizationTokenFile: '',
    // The library's own limit only warns, on stderr, and continues to wait.
    timeout: 0,
    maxRetries: 0,
    logger,
  })
  const who = "the container's credentials agent"
  return await fetchCredentials(provider(), who, CONTAINER_TIMEOUT_MS, (message) => {
    if (/^(?:URL not accepted|Invalid URL)/.test(message)) {
      return new SluiceError(
        'BAD_CONFIG',
        'AWS_CONTAINER_CREDENTIALS_FULL_URI is not the URL of an agent on this host',
        {
          hint: 'set it to an https URL, or to an http URL of a loopback or link-local address',
        },
      )
    }
    const status = /status: (\d+)/.exec(message)?.[1]
    return refused(who, status === undefined ? undefined : `HTTP ${status}`, Number(status) >= 500)
  })
}

/**
 * Credentials from the metadata service of an EC2 instance, version 2. Null if no service answers: this is not an
 * instance.
 */
export async function fromInstance(env: Env): Promise<Credentials | null> {
  if (/^true$/i.test(presentText(env['AWS_EC2_METADATA_DISABLED']) ?? '')) return null
  const { fromInstanceMetadata } = await library()
  const options = { timeout: INSTANCE_TIMEOUT_MS, maxRetries: 0, ec2MetadataV1Disabled: true, logger }
  try {
    return temporary(await fromInstanceMetadata(options)())
  } catch (error) {
    const who = "the instance's metadata service"
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 0
    if (status === 429 || status >= 500) throw refused(who, `HTTP ${status}`, true)
    const isAnswer = error instanceof SyntaxError || messageOf(error).startsWith('Invalid response')
    if (isAnswer) throw refused(who, undefined)
    return null
  }
}

/**
 * @param timeoutMs limit for an answer, ms
 * @param other maps an error that is neither a refusal of a service nor a broken connection
 */
async function fetchCredentials(
  found: Promise<Found>,
  who: string,
  timeoutMs: number,
  other: (message: string) => SluiceError,
): Promise<Credentials> {
  const limit = new AbortController()
  const late = sleep(timeoutMs, undefined, { signal: limit.signal }).then(() => {
    throw new Error('TimeoutError')
  })
  try {
    return temporary(await Promise.race([found, late]))
  } catch (error) {
    const message = messageOf(error)
    if (isOfProgram(message)) throw other(message)
    if (/\b(?:E(?:CONN|HOST|NET|PIPE|TIMEDOUT|AI_)[A-Z]*|ENOTFOUND|TimeoutError|socket hang up)\b/.test(message)) {
      throw new SluiceError('SOURCE_IO', `${who} does not answer`, { retryable: true, cause: error })
    }
    // AWS services return a code as the error's name.
    if (error instanceof Error && '$fault' in error) throw refused(who, error.name, error.$fault === 'server')
    throw other(message)
  } finally {
    late.catch(() => undefined)
    limit.abort()
  }
}

/** True if a profile's program has failed: the message then contains its command line and output. */
function isOfProgram(message: string): boolean {
  return message.includes('Command failed')
}

function refused(who: string, code: string | undefined, retryable = false): SluiceError {
  return new SluiceError(
    'SOURCE_DENIED',
    code === undefined
      ? `${who} answered, but the answer has no credentials`
      : `${who} returned no credentials: ${code}`,
    {
      retryable,
      hint: 'check the role or the profile and its rights, then run the same command again',
    },
  )
}

/**
 * Message of an error, or of all errors in it. The name of a TimeoutError is included: it is clearer than its message.
 */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  if (!(error instanceof Error)) return String(error)
  return error.name === 'TimeoutError' ? `TimeoutError ${error.message}` : error.message
}

function temporary({ accessKeyId, secretAccessKey, sessionToken, expiration }: Found): Credentials {
  const expires = expiration?.getTime() ?? Number.NaN
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined || sessionToken === '' ? {} : { sessionToken }),
    ...(Number.isNaN(expires) ? {} : { expires }),
  }
}

async function tokenIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new SluiceError('BAD_CONFIG', 'the file with the AWS token cannot be read', {
      where: file,
      hint: 'check AWS_WEB_IDENTITY_TOKEN_FILE',
      cause: error,
    })
  }
}
