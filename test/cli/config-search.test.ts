import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { searchConfig, withConfig } from '../../src/cli/config-search.ts'
import { main } from '../../src/cli/main.ts'
import { stamped } from './recorded.ts'
import { fakeSurroundings, playingEngine } from './surroundings.ts'

const UID = process.getuid?.() ?? null
let folder = ''
let below = ''
let env: Record<string, string> = {}
beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'sluice-config-')))
  below = path.join(folder, 'a/b')
  mkdirSync(below, { recursive: true })
  env = { XDG_CONFIG_HOME: path.join(folder, 'xdg') }
})
afterEach(() => rmSync(folder, { recursive: true }))

const found = (...argv: string[]) => searchConfig(argv, below, env, UID)
const put = (...parts: string[]): string => {
  const file = path.join(folder, ...parts)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, 'database-url: sqlite:///c.db\nlimit: 7\n')
  return file
}

describe('the config file that nobody names', () => {
  it('is the nearest one of this folder and those above, else that of the user', () => {
    expect(found('runs')).toEqual({ file: null, passedOver: [] })
    const users = put('xdg/sluice/sluice.yaml')
    expect(found('runs').file).toBe(users)
    expect(found('lifecycle', 'init').file).toBeNull()
    const above = put('sluice.yaml')
    expect(found('runs').file).toBe(above)
    put('a/b/sluice.yaml')
    expect(found('runs').file).toBe('sluice.yaml')
  })

  it('is none where one is named, none is wanted, or the command reads none', () => {
    put('sluice.yaml')
    for (const argv of [
      ['runs', '--config', 'x'],
      ['runs', '--config=x'],
      ['runs', '--no-config'],
      ['completion', 'bash'],
      ['init'],
    ])
      expect(found(...argv).file).toBeNull()
    expect(found('sql', '--', '--no-config').file).not.toBeNull()
  })

  it.runIf(UID !== null)('is not read where somebody else may have written it', () => {
    const file = put('a/sluice.yaml')
    const users = put('xdg/sluice/sluice.yaml')
    chmodSync(path.dirname(file), 0o777)
    expect(found('runs')).toEqual({
      file: users,
      passedOver: [`${file} is not read: everybody may write its folder; --config ${file} reads it`],
    })
    chmodSync(path.dirname(file), 0o755)
    chmodSync(file, 0o666)
    expect(found('runs').passedOver[0]).toContain('everybody may write the file')
    const other = searchConfig(['runs'], below, env, (UID ?? 0) + 1)
    expect(other.file).toBeNull()
    expect(other.passedOver[0]).toContain('belongs to another user')
  })

  it('stands before the words that are no flags', () => {
    expect(withConfig(['sql', '--', 'x'], 'f')).toEqual(['sql', '--config', 'f', '--', 'x'])
    expect(withConfig(['runs'], null)).toEqual(['runs'])
  })

  it('is in force, is said, and is in the command that is printed', async () => {
    const file = put('sluice.yaml')
    const { engine, started } = playingEngine((operation) =>
      stamped([
        [0, { type: 'run.started', command: operation.kind, tool: '0.1.0' }],
        [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5 }],
      ]),
    )
    const around = (): ReturnType<typeof fakeSurroundings> => fakeSurroundings({ engine, env })
    const told = { ...around(), searchFrom: below }
    expect(await main(['import', 't'], told)).toBe(0)
    expect(started).toMatchObject([
      { operation: { catalog: 'sqlite:///c.db' }, commandLine: `sluice import t --config ${file}` },
    ])
    expect(told.err()).toContain(`config  ${file}`)
    const quiet = { ...around(), searchFrom: below }
    expect(await main(['runs'], quiet)).toBe(0)
    expect(quiet.err()).not.toContain('config')
    expect(await main(['migration-status', '--no-config'], { ...around(), searchFrom: below })).toBe(2)
    writeFileSync(file, 'limit: 7\nwrokers: 3\n')
    const wrong = { ...around(), searchFrom: below }
    expect(await main(['runs'], wrong)).toBe(2)
    expect(wrong.err()).toContain('unknown key wrokers (line 2, column 1)')
    expect(wrong.err()).toContain(file)
  })
})
