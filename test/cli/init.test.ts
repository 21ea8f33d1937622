import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/cli/config/config.ts'
import { findPlaces } from '../../src/cli/init/found.ts'
import { runInit, type InitRequest } from '../../src/cli/init/run-init.ts'
import { configText } from '../../src/cli/init/run-init.ts'
import { openCliSession } from '../../src/cli/session.ts'
import { fakeContext, type Fake } from './surroundings.ts'

let cwd = ''
beforeEach(() => {
  cwd = realpathSync(mkdtempSync(path.join(tmpdir(), 'sluice-init-')))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const NOTHING = { lake: null, from: null, to: null, catalog: null }
const request: InitRequest = { ...NOTHING, write: './sluice.yaml', dryRun: false }

async function init(asked: Partial<InitRequest>, env: Record<string, string> = {}): Promise<Fake> {
  const around = fakeContext({ env: { XDG_STATE_HOME: process.env['XDG_STATE_HOME'] ?? '', ...env } })
  const session = await openCliSession(around, {
    json: false,
    quiet: false,
    verbose: false,
    secrets: [],
    tool: '0.1.0',
  })
  const settings = { cwd, tool: '0.1.0', asks: false, json: false }
  expect(await runInit(session, { ...request, ...asked }, settings, around)).toBe(0)
  await session.close()
  return around
}
const table = (...parts: string[]): void => void mkdirSync(path.join(cwd, ...parts, '_delta_log'), { recursive: true })

describe('sluice init', () => {
  it('writes the lakes and databases that it finds here and in variables, as a valid config file', async () => {
    table('lake/sales/orders')
    table('lake/sales/returns')
    mkdirSync(path.join(cwd, 'src'))
    const env = {
      SLUICE_DATABASE_URL: 'postgresql://app:very-secret@db/catalog',
      APP_DB_URL: 'mysql://app:other-secret@db/app',
      HOME_PAGE: 'https://example.org',
    }
    const around = await init({ from: 'sqlite:///app.db' }, env)
    const file = path.join(cwd, 'sluice.yaml')
    const text = readFileSync(file, 'utf8')
    expect(readConfig(file)).toEqual({
      stores: {
        lake: path.join(cwd, 'lake'),
        source: `sqlite:///${path.join(cwd, 'app.db')}`,
        'app-db': '$APP_DB_URL',
        catalog: '$SLUICE_DATABASE_URL',
      },
      from: 'source',
      'database-url': 'catalog',
    })
    expect(text).toContain('2 Delta tables below it')
    expect(text + around.err() + around.out()).not.toMatch(/secret/)
    expect(around.err()).toContain('next     sluice discover lake --recursive')
  })

  it('writes no password to the file, wherever it comes from', () => {
    const url = 'postgresql://app:very-secret@db/app'
    const { places, defaults } = findPlaces({ ...NOTHING, to: url }, cwd, {})
    expect(places).toEqual([
      {
        name: 'target',
        written: '$TARGET_URL',
        description: expect.stringContaining('set TARGET_URL to it') as string,
        unset: true,
      },
    ])
    expect(defaults).toEqual({ to: 'target' })
    const known = findPlaces({ ...NOTHING, to: url }, cwd, { THE_TARGET: url })
    expect(known.places).toMatchObject([{ name: 'target', written: '$THE_TARGET', unset: false }])
    expect(configText(known)).not.toContain('secret')
  })

  it('overwrites no file, and writes none in a dry run', async () => {
    const dry = await init({ dryRun: true })
    expect(dry.out()).toContain('# stores:')
    expect(() => readFileSync(path.join(cwd, 'sluice.yaml'))).toThrow('ENOENT')
    writeFileSync(path.join(cwd, 'sluice.yaml'), 'limit: 3\n')
    await expect(init({})).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining('never overwritten') as string,
    })
    expect(readFileSync(path.join(cwd, 'sluice.yaml'), 'utf8')).toBe('limit: 3\n')
    await init({ write: 'other.yaml' })
    expect(readConfig(path.join(cwd, 'other.yaml'))).toEqual({})
  })
})
