/** Credentials that somebody hands out over HTTP: STS for a web identity, the container's agent, the instance's metadata service. */
import { readFile } from 'node:fs/promises'
import { SluiceError } from '../../shared/errors.ts'
import { present, type Env, type Profile } from './profile.ts'
import { tagText } from './xml.ts'

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** ms since the epoch; absent for keys that do not expire. */
  readonly expires?: number
}

const STS_TIMEOUT_MS = 10_000
const CONTAINER_TIMEOUT_MS = 2_000
/** Elsewhere than on an instance nobody answers, and this is how long a person waits for the news. */
const INSTANCE_TIMEOUT_MS = 1_000
/** Plain HTTP is only for agents of this very host. */
const LOCAL_AGENTS: ReadonlySet<string> = new Set([
  'localhost',
  '127.0.0.1',
  '[::1]',
  '169.254.170.2',
  '169.254.170.23',
  '[fd00:ec2::23]',
])

type Answer = { readonly status: number; readonly text: string }

async function ask(url: string, init: RequestInit, timeoutMs: number, who: string): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    throw new SluiceError('SOURCE_IO', `${who} does not answer`, {
      where: new URL(url).origin,
      retryable: true,
      cause: error,
    })
  }
}

function refused(who: string, answer: Answer, code: string | null): SluiceError {
  return new SluiceError('SOURCE_DENIED', `${who} gave no credentials: ${code ?? `HTTP ${answer.status}`}`, {
    retryable: answer.status >= 500,
  })
}

/** AssumeRoleWithWebIdentity, where a token file and a role are named. Null where they are not. */
export async function fromWebIdentity(env: Env, profile: Profile, region: string): Promise<Credentials | null> {
  const file = present(env['AWS_WEB_IDENTITY_TOKEN_FILE']) ?? profile.settings.get('web_identity_token_file')
  const role = present(env['AWS_ROLE_ARN']) ?? profile.settings.get('role_arn')
  if (file === undefined || role === undefined) return null
  const token = await tokenIn(file)
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const endpoint = present(env['AWS_ENDPOINT_URL_STS']) ?? `https://sts.${region}.${suffix}`
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: present(env['AWS_ROLE_SESSION_NAME']) ?? `sluice-${process.pid}`,
    WebIdentityToken: token,
  })
  const answer = await ask(endpoint, { method: 'POST', body }, STS_TIMEOUT_MS, 'the AWS token service')
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
    'Expiration',
  ].map((tag) => tagText(answer.text, tag))
  if (answer.status !== 200 || !accessKeyId || !secretAccessKey) {
    throw refused('the AWS token service', answer, tagText(answer.text, 'Code'))
  }
  return temporary(accessKeyId, secretAccessKey, sessionToken, expiration)
}

/** The agent that runs beside a container (ECS, EKS Pod Identity). */
export async function fromContainer(env: Env): Promise<Credentials | null> {
  const relative = present(env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'])
  const full = present(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'])
  const place = relative === undefined ? full : `http://169.254.170.2${relative}`
  if (place === undefined) return null
  const url = URL.canParse(place) ? new URL(place) : null
  if (url === null || (url.protocol !== 'https:' && !LOCAL_AGENTS.has(url.hostname))) {
    throw new SluiceError('BAD_CONFIG', 'AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL of an agent of this host', {
      hint: 'it must be https, or http to a loopback or link-local address',
    })
  }
  const tokenFile = present(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'])
  const token = tokenFile === undefined ? present(env['AWS_CONTAINER_AUTHORIZATION_TOKEN']) : await tokenIn(tokenFile)
  const headers = token === undefined ? {} : { authorization: token }
  const answer = await ask(url.href, { headers }, CONTAINER_TIMEOUT_MS, "the container's credentials agent")
  return fromJson(answer, "the container's credentials agent")
}

/** The metadata service of an EC2 instance, version 2. Null where nobody answers: this is no instance. */
export async function fromInstance(env: Env): Promise<Credentials | null> {
  if (/^true$/i.test(present(env['AWS_EC2_METADATA_DISABLED']) ?? '')) return null
  const base = `${present(env['AWS_EC2_METADATA_SERVICE_ENDPOINT']) ?? 'http://169.254.169.254'}/latest`
  const who = "the instance's metadata service"
  try {
    const asked = { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' } }
    const token = await ask(`${base}/api/token`, asked, INSTANCE_TIMEOUT_MS, who)
    if (token.status !== 200) return null
    const headers = { 'x-aws-ec2-metadata-token': token.text }
    const roles = `${base}/meta-data/iam/security-credentials/`
    const role = await ask(roles, { headers }, INSTANCE_TIMEOUT_MS, who)
    const name = role.text.split('\n')[0]?.trim() ?? ''
    if (role.status !== 200 || name === '') return null
    return fromJson(await ask(roles + encodeURIComponent(name), { headers }, INSTANCE_TIMEOUT_MS, who), who)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SOURCE_IO') return null
    throw error
  }
}

function fromJson(answer: Answer, who: string): Credentials {
  let given: Readonly<Record<string, unknown>> = {}
  try {
    given = JSON.parse(answer.text) as Readonly<Record<string, unknown>>
  } catch {
    throw refused(who, answer, null)
  }
  const { AccessKeyId: id, SecretAccessKey: secret, Token: token, Expiration: expiration } = given
  if (answer.status !== 200 || typeof id !== 'string' || typeof secret !== 'string') throw refused(who, answer, null)
  return temporary(id, secret, textOrNull(token), textOrNull(expiration))
}

function temporary(
  accessKeyId: string,
  secretAccessKey: string,
  sessionToken: string | null | undefined,
  expiration: string | null | undefined,
): Credentials {
  const expires = Date.parse(expiration ?? '')
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken ? { sessionToken } : {}),
    ...(Number.isNaN(expires) ? {} : { expires }),
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

async function tokenIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new SluiceError('BAD_CONFIG', 'the file with the AWS token cannot be read', { where: file, cause: error })
  }
}
