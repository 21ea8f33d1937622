/** The chain of places that credentials come from, against files and HTTP servers of this test. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { noCounts, S3Client } from '../../src/stores/s3/client.ts'
import { CredentialSource, findCredentials, type Credentials } from '../../src/stores/s3/credentials.ts'
import { endpointOf, objectUrl } from '../../src/stores/s3/endpoint.ts'
import { readProfile, type Env } from '../../src/stores/s3/profile.ts'
import { S3_AVAILABLE, startS3 } from '../support/servers/s3.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const NOWHERE = { AWS_EC2_METADATA_DISABLED: 'true' }

let home: string
let server: Server | null = null
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  mkdirSync(join(home, '.aws'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true, force: true })
  server?.closeAllConnections()
  await new Promise((done) => (server === null ? done(null) : server.close(done)))
  server = null
})

async function find(env: Env): Promise<Credentials | null> {
  const all = { HOME: home, ...NOWHERE, ...env }
  // The library reads some variables of the process itself.
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
  const profile = await readProfile(all)
  return findCredentials(all, profile, endpointOf(all, profile).region)
}

async function refusal(env: Env): Promise<SluiceError> {
  const error: unknown = await find(env).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SluiceError)) throw new Error(`no refusal: ${String(error)}`)
  expect(JSON.stringify(error.info())).not.toContain(SECRET)
  return error
}

async function serve(answer: (request: IncomingMessage, body: string) => readonly [number, string]): Promise<string> {
  const own = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const [status, text] = answer(request, body)
      response.writeHead(status).end(text)
    })
  })
  server = own
  await new Promise<void>((ready) => own.listen(0, '127.0.0.1', ready))
  return `http://127.0.0.1:${(own.address() as AddressInfo).port}`
}

const LATER = Date.parse('2999-01-01T00:00:00Z')

/** The reply of the token service. */
function assumed(action: string, id: string, secret = SECRET): string {
  const keys = `<AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>st</SessionToken>`
  const ends = `<Expiration>${new Date(LATER).toISOString()}</Expiration>`
  return `<${action}Response><${action}Result><Credentials>${keys}${ends}</Credentials></${action}Result></${action}Response>`
}

const run = promisify(execFile)

const write = (name: string, text: string): void => writeFileSync(join(home, '.aws', name), text)

describe('credentials', () => {
  test('of the environment come first', async () => {
    write('credentials', '[default]\naws_access_key_id = FILE\naws_secret_access_key = x\n')
    const env = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: 'token' }
    expect(await find(env)).toEqual({ accessKeyId: 'ENV', secretAccessKey: SECRET, sessionToken: 'token' })
    expect((await refusal({ AWS_ACCESS_KEY_ID: 'ENV' })).code).toBe('BAD_CONFIG')
    expect((await refusal({ AWS_SECRET_ACCESS_KEY: SECRET })).message).toContain('the access key id is missing')
  })

  test('of profiles are used, with region and endpoint', async () => {
    write(
      'credentials',
      `[default]\naws_access_key_id=A\naws_secret_access_key=${SECRET}\n[work]\naws_access_key_id = B # note\naws_secret_access_key = s=ecret\n`,
    )
    write(
      'config',
      '[default]\nregion = eu-central-1\n[profile work]\nregion = eu-west-3\nendpoint_url = https://s3.example.com/base/\n',
    )
    expect((await find({}))?.accessKeyId).toBe('A')
    expect(await find({ AWS_PROFILE: 'work' })).toEqual({ accessKeyId: 'B', secretAccessKey: 's=ecret' })
    const work = await readProfile({ HOME: home, AWS_PROFILE: 'work' })
    expect(endpointOf({}, work)).toEqual({ custom: 'https://s3.example.com/base', region: 'eu-west-3' })
    expect(endpointOf({ AWS_REGION: 'us-west-2', AWS_ENDPOINT_URL: 'http://x:1' }, work)).toEqual({
      custom: 'http://x:1',
      region: 'us-west-2',
    })
    const elsewhere = join(home, 'other')
    writeFileSync(elsewhere, '[default]\naws_access_key_id=C\naws_secret_access_key=d\n')
    expect((await find({ AWS_SHARED_CREDENTIALS_FILE: elsewhere }))?.accessKeyId).toBe('C')
    expect((await refusal({ AWS_PROFILE: 'nobody' })).message).toContain('nobody')
  })

  test('of a role that a profile assumes with the keys of another, through two roles', async () => {
    write('credentials', `[base]\naws_access_key_id=BASE\naws_secret_access_key=${SECRET}\n`)
    write(
      'config',
      '[profile first]\nrole_arn=arn:aws:iam::1:role/first\nsource_profile=base\n' +
        '[profile second]\nrole_arn=arn:aws:iam::2:role/second\nsource_profile=first\nexternal_id=ours\nregion=eu-west-1\n',
    )
    const asked: string[] = []
    const endpoint = await serve((request, body) => {
      const [, signer = ''] = /Credential=([^/]+)/.exec(request.headers.authorization ?? '') ?? []
      const words = new URLSearchParams(body)
      asked.push([signer, words.get('Action'), words.get('RoleArn'), words.get('ExternalId')].join(' '))
      return [200, assumed('AssumeRole', `ROLE${asked.length}`)]
    })
    const found = await find({ AWS_PROFILE: 'second', AWS_ENDPOINT_URL_STS: endpoint })
    expect(found).toEqual({ accessKeyId: 'ROLE2', secretAccessKey: SECRET, sessionToken: 'st', expires: LATER })
    expect(asked).toEqual([
      'BASE AssumeRole arn:aws:iam::1:role/first ',
      'ROLE1 AssumeRole arn:aws:iam::2:role/second ours',
    ])
  })

  test('of a role that is assumed with a web identity of another profile', async () => {
    const file = join(home, 'token')
    writeFileSync(file, 'jwt.of.us')
    write(
      'config',
      `[profile pod]\nrole_arn=arn:aws:iam::1:role/pod\nweb_identity_token_file=${file}\n` +
        '[profile far]\nrole_arn=arn:aws:iam::2:role/far\nsource_profile=pod\n',
    )
    const asked: (string | null)[] = []
    const endpoint = await serve((_, body) => {
      const action = new URLSearchParams(body).get('Action') ?? ''
      asked.push(action)
      return [200, assumed(action, action === 'AssumeRole' ? 'FAR' : 'POD')]
    })
    expect((await find({ AWS_PROFILE: 'far', AWS_ENDPOINT_URL_STS: endpoint }))?.accessKeyId).toBe('FAR')
    expect(asked).toEqual(['AssumeRoleWithWebIdentity', 'AssumeRole'])
  })

  test('of a role fail if the token service refuses it, or does not respond', async () => {
    write('credentials', `[default]\naws_access_key_id=BASE\naws_secret_access_key=${SECRET}\n`)
    write('config', '[profile chained]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=default\n')
    const endpoint = await serve(() => [
      403,
      '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>',
    ])
    const error = await refusal({ AWS_PROFILE: 'chained', AWS_ENDPOINT_URL_STS: endpoint })
    expect([error.code, error.message]).toEqual([
      'SOURCE_DENIED',
      'the AWS profile chained returned no credentials: AccessDenied',
    ])
    const silent = await refusal({ AWS_PROFILE: 'chained', AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' })
    expect([silent.code, silent.retryable]).toEqual(['SOURCE_IO', true])
    write('config', '[profile chained]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=none\n')
    const broken = await refusal({ AWS_PROFILE: 'chained' })
    expect(broken.code).toBe('BAD_CONFIG')
    expect(broken.hint).toContain('export-credentials')
  })

  test('of a program are renewed by running it again', async () => {
    const program = join(home, 'program.sh')
    const count = join(home, 'count')
    writeFileSync(
      program,
      `echo x >> ${count}\necho talk >&2\nprintf '{"Version":1,"AccessKeyId":"P%s","SecretAccessKey":"${SECRET}","Expiration":"2999-01-01T00:00:00Z"}' $(wc -l < ${count})`,
    )
    write('config', `[profile prog]\ncredential_process = sh ${program}\n`)
    expect(await find({ AWS_PROFILE: 'prog' })).toEqual({
      accessKeyId: 'P1',
      secretAccessKey: SECRET,
      expires: Date.parse('2999-01-01T00:00:00Z'),
    })
    expect((await find({ AWS_PROFILE: 'prog' }))?.accessKeyId).toBe('P2')
    write('config', `[profile prog]\ncredential_process = sh -c "echo ${SECRET}; echo ${SECRET} >&2; exit 3"\n`)
    const error = await refusal({ AWS_PROFILE: 'prog' })
    expect([error.code, error.message]).toEqual(['BAD_CONFIG', 'the AWS profile prog returned no credentials'])
    expect(error.hint).toContain('credential_process')
    // The role is assumed with what the program of another profile prints.
    write(
      'config',
      `[profile prog]\ncredential_process = sh -c "echo ECONNRESET ${SECRET} >&2; exit 3"\n[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = prog\nregion = eu-west-1\n`,
    )
    const over = await refusal({ AWS_PROFILE: 'role' })
    expect([over.code, over.hint]).toEqual(['BAD_CONFIG', error.hint])
  })

  test('of an agent that accepts the connection and does not reply are waited for two seconds', async () => {
    const silent = createServer(() => undefined)
    server = silent
    await new Promise<void>((ready) => silent.listen(0, '127.0.0.1', ready))
    const agent = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/keys`
    const error = await refusal({ AWS_CONTAINER_CREDENTIALS_FULL_URI: agent })
    expect([error.code, error.retryable]).toEqual(['SOURCE_IO', true])
  })

  test('of SSO come from the token of the login; after its expiry, the hint is to log in', async () => {
    write(
      'config',
      '[profile sso]\nsso_session=ours\nsso_account_id=1\nsso_role_name=reader\n' +
        '[sso-session ours]\nsso_region=eu-west-1\nsso_start_url=https://ours.awsapps.com/start\n',
    )
    const cache = join(home, '.aws', 'sso', 'cache')
    mkdirSync(cache, { recursive: true })
    const signIn = (expiresAt: string): void =>
      writeFileSync(
        join(cache, `${createHash('sha1').update('ours').digest('hex')}.json`),
        JSON.stringify({ accessToken: 'let me in', expiresAt }),
      )
    signIn('2999-01-01T00:00:00Z')
    const endpoint = await serve((request) => {
      const isOurs = request.headers['x-amz-sso_bearer_token'] === 'let me in'
      const keys = { accessKeyId: 'S', secretAccessKey: SECRET, sessionToken: 'st', expiration: LATER }
      return isOurs && request.url?.includes('role_name=reader') === true
        ? [200, JSON.stringify({ roleCredentials: keys })]
        : [401, '{}']
    })
    const env = { AWS_PROFILE: 'sso', AWS_ENDPOINT_URL_SSO: endpoint }
    expect(await find(env)).toEqual({ accessKeyId: 'S', secretAccessKey: SECRET, sessionToken: 'st', expires: LATER })
    signIn('2001-01-01T00:00:00Z')
    const error = await refusal(env)
    expect([error.code, error.hint]).toEqual(['SOURCE_DENIED', 'sign in again: aws sso login --profile sso'])
  })

  test.skipIf(!S3_AVAILABLE)('of a role read a bucket, and no output of the library is printed', async () => {
    await using store = await startS3()
    store.putFolder('fixtures/lake/crm/customers', 'customers')
    write('credentials', `[base]\naws_access_key_id=BASE\naws_secret_access_key=${SECRET}\n`)
    write('config', '[profile chained]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=base\n')
    const sts = await serve(() => [200, assumed('AssumeRole', 'S3RVER', 'S3RVER')])
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, ...env } = { ...process.env, ...store.env }
    const { stdout, stderr } = await run(
      process.execPath,
      ['dist/cli/bin.js', 'discover', store.url(''), '--recursive', '--json'],
      { env: { ...env, HOME: home, AWS_PROFILE: 'chained', AWS_ENDPOINT_URL_STS: sts, NODE_OPTIONS: '' } },
    )
    expect(stderr).toBe('')
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { type: string }).type),
    ).toEqual(expect.arrayContaining(['run.started', 'run.finished']))
  })

  test.for(['ExpiredToken', 'InvalidAccessKeyId'])(
    'of a profile that is rewritten are read again at %s',
    async (code) => {
      const rotate = (key: string): void =>
        write(
          'credentials',
          `[default]\naws_access_key_id=${key}\naws_secret_access_key=${SECRET}\naws_session_token=t\n`,
        )
      rotate('OLD')
      let good = 'OLD'
      const endpoint = await serve((request) =>
        request.headers.authorization?.includes(`Credential=${good}/`) === true
          ? [200, 'there']
          : [403, `<Error><Code>${code}</Code><Message>no</Message></Error>`],
      )
      const client = new S3Client({ HOME: home, ...NOWHERE, AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1' })
      const { signal } = new AbortController()
      const get = async (): Promise<string> =>
        await client.request({ kind: 'gets', bucket: 'b', key: 'k', signal, counts: noCounts() }, async ({ body }) => {
          let text = ''
          for await (const part of body) text += part.toString()
          return text
        })
      expect(await get()).toBe('there')
      good = 'NEW'
      rotate('NEW')
      expect(await get()).toBe('there')
      good = 'OTHER'
      await expect(get()).rejects.toMatchObject({ code: 'CONNECT_FAILED', exitCode: 3 })
    },
  )

  test('of a web identity are used', async () => {
    const asked: URLSearchParams[] = []
    const ends = new Date(Date.now() + 3_600_000).toISOString()
    const endpoint = await serve((_, body) => {
      asked.push(new URLSearchParams(body))
      return [
        200,
        `<R><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>W</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey><SessionToken>a&amp;b</SessionToken><Expiration>${ends}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></R>`,
      ]
    })
    const file = join(home, 'token')
    writeFileSync(file, 'jwt.of.us\n')
    const env = {
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/reader',
      AWS_ENDPOINT_URL_STS: endpoint,
    }
    expect(await find(env)).toEqual({
      accessKeyId: 'W',
      secretAccessKey: SECRET,
      sessionToken: 'a&b',
      expires: Date.parse(ends),
    })
    expect(asked[0]?.get('WebIdentityToken')).toBe('jwt.of.us')
    expect(asked[0]?.get('RoleArn')).toBe('arn:aws:iam::1:role/reader')
  })

  test('that the token service refuses are reported', async () => {
    const endpoint = await serve(() => [
      403,
      '<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>',
    ])
    const file = join(home, 'token')
    writeFileSync(file, SECRET)
    const error = await refusal({
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ROLE_ARN: 'arn',
      AWS_ENDPOINT_URL_STS: endpoint,
    })
    expect([error.code, error.message]).toEqual(['SOURCE_DENIED', expect.stringContaining('AccessDenied')])
  })

  test('of a container are used, with its token', async () => {
    const endpoint = await serve((request) =>
      request.headers.authorization === 'let me in'
        ? [
            200,
            JSON.stringify({
              AccessKeyId: 'K',
              SecretAccessKey: SECRET,
              Token: 't',
              Expiration: '2999-01-01T00:00:00Z',
            }),
          ]
        : [401, '{}'],
    )
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/creds` }
    expect((await find({ ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'let me in' }))?.accessKeyId).toBe('K')
    expect((await refusal(env)).code).toBe('SOURCE_DENIED')
    expect((await refusal({ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://example.com/creds' })).code).toBe('BAD_CONFIG')
  })

  test('of the instance come last, and cost a second if there is none', async () => {
    const endpoint = await serve((request) => {
      if (request.method === 'PUT') return [200, 'imds-token']
      if (request.headers['x-aws-ec2-metadata-token'] !== 'imds-token') return [401, '']
      return request.url?.endsWith('/my-role') === true
        ? [
            200,
            JSON.stringify({
              AccessKeyId: 'I',
              SecretAccessKey: SECRET,
              Token: 't',
              Expiration: '2999-01-01T00:00:00Z',
            }),
          ]
        : [200, 'my-role']
    })
    const env = { AWS_EC2_METADATA_DISABLED: '', AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint }
    expect((await find(env))?.accessKeyId).toBe('I')
    const busy = await serve((request) => (request.method === 'PUT' ? [200, 'token'] : [503, 'slow down']))
    const refused = await refusal({ ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: busy })
    expect([refused.code, refused.retryable]).toEqual(['SOURCE_DENIED', true])
    const begun = performance.now()
    const error = await refusal({ ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://192.0.2.1' })
    expect(error.message).toBe('no AWS credentials were found')
    expect(performance.now() - begun).toBeLessThan(3_000)
  })

  test('are not searched if requests are anonymous', async () => {
    expect(await find({ AWS_NO_SIGN_REQUEST: 'true', AWS_ACCESS_KEY_ID: 'A' })).toBeNull()
  })

  test('are renewed before they expire, once for all waiting requests, and kept if a renewal fails', async () => {
    let now = 0
    let loads = 0
    let fails = false
    const load = async (): Promise<Credentials> => {
      if (fails) throw new SluiceError('SOURCE_IO', 'no answer')
      return { accessKeyId: String(++loads), secretAccessKey: 's', expires: now + 3_600_000 }
    }
    const source = new CredentialSource(load, () => now)
    const all = await Promise.all([source.get(), source.get(), source.get()])
    expect(all.map((one) => one?.accessKeyId)).toEqual(['1', '1', '1'])
    now = 3_600_000 - 5 * 60_000 - 1
    expect((await source.get())?.accessKeyId).toBe('1')
    now += 2
    fails = true
    expect((await source.get())?.accessKeyId).toBe('1')
    now += 31_000
    fails = false
    const renewed = await source.get()
    expect(renewed?.accessKeyId).toBe('2')
    expect((await source.get(renewed))?.accessKeyId).toBe('3')
  })
})

test('hosts of buckets', () => {
  const aws = { custom: null, region: 'eu-west-1' }
  expect(objectUrl(aws, 'eu-west-1', 'lake', 'a b/ü+%(x)', '')).toBe(
    'https://lake.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B%25%28x%29',
  )
  expect(objectUrl(aws, 'eu-west-1', 'my.lake', 'k', 'a=b')).toBe('https://s3.eu-west-1.amazonaws.com/my.lake/k?a=b')
  expect(objectUrl(aws, 'cn-north-1', 'lake', '', '')).toBe('https://lake.s3.cn-north-1.amazonaws.com.cn/')
  expect(objectUrl({ custom: 'http://h:9', region: 'x' }, 'x', 'lake', 'k', '')).toBe('http://h:9/lake/k')
})
