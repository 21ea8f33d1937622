import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgres } from '../../src/stores/postgresql/server/sql-database.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const fixtures = resolve(import.meta.dirname, '../../fixtures/tls')
const pem = (name: string): string => join(fixtures, `${name}.pem`)
const CA = `sslrootcert=${encodeURIComponent(pem('ca'))}`
const ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

describe.skipIf(!POSTGRES_OWN)('encrypted connections to PostgreSQL (needs a server of its own)', () => {
  let server: PostgresServer
  let plain: PostgresServer

  beforeAll(async () => {
    const ssl = { cert: pem('server'), key: join(fixtures, 'server.key') }
    ;[server, plain] = await Promise.all([startPostgres({ ssl }), startPostgres()])
  })

  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await plain[Symbol.asyncDispose]()
  })

  async function useCertificate(name: string): Promise<void> {
    // The files are overwritten, so they keep the owner and mode that the server requires; a clone's keys can be read
    // by all.
    writeFileSync(join(server.dataFolder, 'server.crt'), readFileSync(pem(name)))
    writeFileSync(join(server.dataFolder, 'server.key'), readFileSync(join(fixtures, `${name}.key`)))
    await server.restart()
  }

  /** Whether the connection was encrypted; rethrows an error of opening. */
  async function encrypted(query: string, on = server): Promise<boolean> {
    await using database = await openPostgres(`${on.url()}?${query}`, 'read')
    return (await database.all(ENCRYPTED))[0]?.[0] === 1
  }

  const refused = (reason: string): object => ({
    code: 'TLS_FAILED',
    reason,
    message: `no secure connection: ${reason}`,
  })
  const UNKNOWN = refused('the server certificate is signed by an unknown authority')

  test('a valid certificate is accepted in every mode; disable does not encrypt', async () => {
    await useCertificate('server')
    expect(await encrypted('')).toBe(true)
    expect(await encrypted('sslmode=disable')).toBe(false)
    for (const mode of ['allow', 'prefer', 'require', 'verify-ca', 'verify-full']) {
      expect(await encrypted(`sslmode=${mode}&${CA}`)).toBe(true)
    }
    expect(await encrypted('sslmode=require')).toBe(true)
  })

  test('an unknown authority is refused if verification is required', async () => {
    await useCertificate('server')
    await expect(encrypted('sslmode=verify-full')).rejects.toMatchObject({
      ...UNKNOWN,
      hint: expect.stringMatching(/sslrootcert=.*sslmode=require/) as string,
    })
    await expect(encrypted('sslmode=verify-ca')).rejects.toMatchObject(UNKNOWN)
    const other = `sslrootcert=${encodeURIComponent(pem('other-ca'))}`
    await expect(encrypted(`sslmode=verify-full&${other}`)).rejects.toMatchObject({ code: 'TLS_FAILED' })
    await expect(encrypted(`sslmode=require&${other}`)).rejects.toMatchObject({ code: 'TLS_FAILED' })
    await expect(encrypted(`sslmode=prefer&${other}`)).rejects.toMatchObject({ code: 'TLS_FAILED' })
  })

  test('an expired certificate is refused', async () => {
    await useCertificate('expired')
    const expired = refused('the server certificate has expired')
    await expect(encrypted(`sslmode=verify-full&${CA}`)).rejects.toMatchObject(expired)
    await expect(encrypted(`sslmode=require&${CA}`)).rejects.toMatchObject(expired)
    expect(await encrypted('sslmode=require')).toBe(true)
  })

  test('a certificate for another host is refused if the host is verified', async () => {
    await useCertificate('other-host')
    await expect(encrypted(`sslmode=verify-full&${CA}`)).rejects.toMatchObject(
      refused('the server certificate is for another host'),
    )
    expect(await encrypted(`sslmode=verify-ca&${CA}`)).toBe(true)
  })

  test('a self-signed certificate is refused, unless it is the authority itself', async () => {
    await useCertificate('self-signed')
    await expect(encrypted('sslmode=verify-full')).rejects.toMatchObject(
      refused('the server certificate is self-signed'),
    )
    const itself = `sslrootcert=${encodeURIComponent(pem('self-signed'))}`
    expect(await encrypted(`sslmode=verify-full&${itself}`)).toBe(true)
  })

  test('a server without TLS is refused if encryption is required', async () => {
    for (const mode of ['require', 'verify-ca', 'verify-full']) {
      await expect(encrypted(`sslmode=${mode}`, plain)).rejects.toMatchObject({
        code: 'TLS_FAILED',
        message: 'no secure connection: the server offers no TLS',
      })
    }
    for (const mode of ['allow', 'prefer', 'disable']) expect(await encrypted(`sslmode=${mode}`, plain)).toBe(false)
    expect(await encrypted('', plain)).toBe(false)
  })

  test('files of certificates are read at each connect', async () => {
    await useCertificate('server')
    const folder = mkdtempSync(join(tmpdir(), 'sluice-test-tls-'))
    const root = join(folder, 'root.pem')
    writeFileSync(root, readFileSync(pem('ca')))
    const url = `${server.url()}?pool_size=1&retry_seconds=0&sslmode=verify-full&sslrootcert=${encodeURIComponent(root)}`
    await using database = await openPostgres(url, 'read')
    const cut = async (): Promise<unknown> => {
      await using other = await openPostgres(server.url(), 'write')
      await other.all(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
      )
      await database.all(ENCRYPTED).catch(() => undefined)
      return await database.all(ENCRYPTED).catch((error: unknown) => error)
    }
    writeFileSync(root, readFileSync(pem('other-ca')))
    expect(await cut()).toMatchObject(UNKNOWN)
    writeFileSync(root, readFileSync(pem('ca')))
    expect(await database.all(ENCRYPTED)).toEqual([[1]])
    rmSync(folder, { recursive: true })
  })

  test('PGSSLMODE and PGSSLROOTCERT apply if the URL does not set them', async () => {
    await useCertificate('server')
    const environment = { PGSSLMODE: 'verify-full', PGSSLROOTCERT: pem('ca') }
    await using database = await openPostgres(server.url(), 'read', { environment })
    expect(await database.all(ENCRYPTED)).toEqual([[1]])
    const demanding = { environment: { PGSSLMODE: 'require' } }
    await expect(openPostgres(plain.url(), 'read', demanding)).rejects.toMatchObject({ code: 'TLS_FAILED' })
  })
})
