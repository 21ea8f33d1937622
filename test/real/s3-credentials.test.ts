/** The chain of places that credentials come from, against files and HTTP servers of this test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { noCounts, S3Client } from '../../src/stores/s3/client.ts'
import { CredentialSource, findCredentials, type Credentials } from '../../src/stores/s3/credentials.ts'
import { endpointOf, objectUrl } from '../../src/stores/s3/endpoint.ts'
import { readProfile, type Env } from '../../src/stores/s3/profile.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const NOWHERE = { AWS_EC2_METADATA_DISABLED: 'true' }

let home: string
let server: Server | null = null
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  mkdirSync(join(home, '.aws'))
})
afterEach(async () => {
  rmSync(home, { recursive: true, force: true })
  server?.closeAllConnections()
  await new Promise((done) => (server === null ? done(null) : server.close(done)))
  server = null
})

async function find(env: Env): Promise<Credentials | null> {
  const all = { HOME: home, ...NOWHERE, ...env }
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

const write = (name: string, text: string): void => writeFileSync(join(home, '.aws', name), text)

describe('credentials', () => {
  test('of the environment come first', async () => {
    write('credentials', '[default]\naws_access_key_id = FILE\naws_secret_access_key = x\n')
    const env = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: 'token' }
    expect(await find(env)).toEqual({ accessKeyId: 'ENV', secretAccessKey: SECRET, sessionToken: 'token' })
    expect((await refusal({ AWS_ACCESS_KEY_ID: 'ENV' })).code).toBe('BAD_CONFIG')
    expect((await refusal({ AWS_SECRET_ACCESS_KEY: SECRET })).message).toContain('the access key id is missing')
  })

  test('of profiles, with region and endpoint', async () => {
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

  test('of profiles that lead elsewhere are refused in a sentence', async () => {
    write(
      'config',
      '[profile chained]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=default\n[profile sso]\nsso_session=s\n[profile prog]\ncredential_process=/bin/x\n',
    )
    for (const name of ['chained', 'sso', 'prog']) {
      const error = await refusal({ AWS_PROFILE: name })
      expect(error.code).toBe('BAD_CONFIG')
      expect(error.hint).toContain('export-credentials')
    }
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
      await expect(get()).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
    },
  )

  test('of a web identity', async () => {
    const asked: URLSearchParams[] = []
    const ends = new Date(Date.now() + 3_600_000).toISOString()
    const endpoint = await serve((_, body) => {
      asked.push(new URLSearchParams(body))
      return [
        200,
        `<R><Credentials><AccessKeyId>W</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey><SessionToken>a&amp;b</SessionToken><Expiration>${ends}</Expiration></Credentials></R>`,
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

  test('that the token service refuses', async () => {
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

  test('of a container, with its token', async () => {
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

  test('of the instance come last, and cost a second where there is none', async () => {
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
    const begun = performance.now()
    const error = await refusal({ ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://192.0.2.1' })
    expect(error.message).toBe('no AWS credentials were found')
    expect(performance.now() - begun).toBeLessThan(3_000)
  })

  test('are not looked for where requests are anonymous', async () => {
    expect(await find({ AWS_NO_SIGN_REQUEST: 'true', AWS_ACCESS_KEY_ID: 'A' })).toBeNull()
  })

  test('are renewed before they end, once for all who wait, and kept while a renewal fails', async () => {
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
