import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { searchConfig, withConfig } from '../../src/cli/config/config-search.ts'
import { main } from '../../src/cli/main.ts'
import { isTrusted, trustFile } from '../../src/cli/config/trust.ts'
import { stamped } from './recorded.ts'
import { fakeContext, playingEngine } from './surroundings.ts'

const UID = process.getuid?.() ?? null
let folder = ''
let below = ''
let env: Record<string, string> = {}
beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'sluice-config-')))
  below = path.join(folder, 'a/b')
  mkdirSync(below, { recursive: true })
  env = { XDG_CONFIG_HOME: path.join(folder, 'xdg'), XDG_STATE_HOME: path.join(folder, 'state') }
})
afterEach(() => rmSync(folder, { recursive: true }))

const found = (...argv: string[]) => searchConfig(argv, below, env, UID)
const write = (text: string, ...parts: string[]): string => {
  const file = path.join(folder, ...parts)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, text)
  for (const made of [file, path.dirname(file)]) chmodSync(made, statSync(made).mode & ~0o022)
  return file
}
/** Writes a config file that the user has trusted. */
const put = (...parts: string[]): string => {
  const file = write('database-url: sqlite:///c.db\nlimit: 7\n', ...parts)
  trustFile(file, env)
  return file
}

describe('the config file without --config', () => {
  it('is the nearest one in this folder and its parents, or else that of the user', () => {
    expect(found('runs')).toEqual({ file: null, passedOver: [], untrusted: null })
    const users = put('xdg/sluice/sluice.yaml')
    expect(found('runs').file).toBe(users)
    expect(found('lifecycle', 'init').file).toBeNull()
    const above = put('sluice.yaml')
    expect(found('runs').file).toBe(above)
    put('a/b/sluice.yaml')
    expect(found('runs').file).toBe('sluice.yaml')
  })

  it('is not searched with --config, with --no-config, or for a command without a config file', () => {
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

  it.runIf(UID !== null)('is not read if another user may have written it', () => {
    const file = put('a/sluice.yaml')
    const users = put('xdg/sluice/sluice.yaml')
    chmodSync(path.dirname(file), 0o777)
    expect(found('runs')).toEqual({
      file: users,
      passedOver: [`${file} is not read: everybody may write its folder; to read it, give --config ${file}`],
      untrusted: null,
    })
    chmodSync(path.dirname(file), 0o755)
    chmodSync(file, 0o666)
    expect(found('runs').passedOver[0]).toContain('everybody may write the file')
    chmodSync(file, 0o664)
    expect(found('runs').passedOver[0]).toContain('its group may write the file')
    chmodSync(file, 0o644)
    chmodSync(path.dirname(file), 0o775)
    expect(found('runs').passedOver[0]).toContain('its group may write its folder')
    const other = searchConfig(['runs'], below, env, (UID ?? 0) + 1)
    expect(other.file).toBeNull()
    expect(other.passedOver[0]).toContain('belongs to another user')
  })

  it.runIf(UID !== null)('is named by a command that fails because the file was not read', async () => {
    const file = put('a/sluice.yaml')
    chmodSync(path.dirname(file), 0o775)
    const { engine } = playingEngine(() => [])
    const around = { ...fakeContext({ engine, env }), searchFrom: below }
    expect(await main(['migration-status'], around)).toBe(2)
    const said = around.err()
    expect(said).toContain('no catalog is given')
    expect(said).toContain(`${file} is not read: its group may write its folder; to read it, give --config ${file}`)
  })

  it.runIf(UID === 0)(
    "is not read through another user's link, or through a link to a folder that all may write to",
    () => {
      const real = put('elsewhere/sluice.yaml')
      const link = path.join(below, 'sluice.yaml')
      symlinkSync(real, link)
      expect(found('runs').file).toBe('sluice.yaml')
      lchownSync(link, 12_345, 12_345)
      expect(found('runs')).toMatchObject({
        file: null,
        passedOver: [expect.stringContaining('belongs to another user')],
      })
      lchownSync(link, 0, 0)
      chmodSync(path.dirname(real), 0o777)
      expect(found('runs').passedOver[0]).toContain('everybody may write its folder')
    },
  )

  it('is inserted before --', () => {
    expect(withConfig(['sql', '--', 'x'], 'f')).toEqual(['sql', '--config', 'f', '--', 'x'])
    expect(withConfig(['runs'], null)).toEqual(['runs'])
  })

  it('is applied, reported, and named in the printed command', async () => {
    const file = put('sluice.yaml')
    const { engine, started } = playingEngine((operation) =>
      stamped([
        [0, { type: 'run.started', command: operation.kind, tool: '0.1.0' }],
        [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5 }],
      ]),
    )
    const around = (): ReturnType<typeof fakeContext> => fakeContext({ engine, env })
    const reported = { ...around(), searchFrom: below }
    expect(await main(['import', 't'], reported)).toBe(0)
    expect(started).toMatchObject([
      { operation: { catalog: 'sqlite:///c.db' }, commandLine: `sluice import t --config ${file}` },
    ])
    expect(reported.err()).toContain(`config  ${file}`)
    const quiet = { ...around(), searchFrom: below }
    expect(await main(['runs'], quiet)).toBe(0)
    expect(quiet.err()).not.toContain('config')
    expect(await main(['migration-status', '--no-config'], { ...around(), searchFrom: below })).toBe(2)
    writeFileSync(file, 'limit: 7\nwrokers: 3\n')
    trustFile(file, env)
    const wrong = { ...around(), searchFrom: below }
    expect(await main(['runs'], wrong)).toBe(2)
    expect(wrong.err()).toContain('unknown key wrokers (line 2, column 1)')
    expect(wrong.err()).toContain(file)
  })
})

describe('a config file in the folder of a lake', () => {
  const STRANGER = 'log-file: ../../taken.log\ndatabase-url: postgresql://app@127.0.0.1:1/db\n'
  const engine = () =>
    playingEngine((operation) =>
      stamped([
        [0, { type: 'run.started', command: operation.kind, tool: '0.1.0' }],
        [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5 }],
      ]),
    )

  /** Runs a command in the folder below, without a terminal. */
  async function said(...words: string[]) {
    const playing = engine()
    const around = { ...fakeContext({ engine: playing.engine, env }), searchFrom: below }
    const code = await main(words, around)
    return { code, err: around.err(), out: around.out(), started: playing.started }
  }

  it('has no effect until it is trusted: other commands end with 2 and name the file', async () => {
    const file = write(STRANGER, 'a/sluice.yaml')
    for (const words of [['runs'], ['fsck', 't'], ['import', 't'], ['sync'], ['worker'], [], ['.'], ['attach']]) {
      const { code, err, started } = await said(...words)
      expect([words, code, started]).toEqual([words, 2, []])
      expect(err).toContain(file)
      expect(err).toContain(`sluice trust ${path.dirname(file)}`)
    }
    const discovered = await said('discover', '.')
    expect(discovered.code).toBe(0)
    expect(discovered.started).toMatchObject([{ commandLine: 'sluice discover .' }])
    expect(discovered.err).toContain(`${file} is not read: it is not trusted`)
    expect((await said('runs', '--help')).code).toBe(0)
    expect(existsSync(path.join(folder, 'taken.log'))).toBe(false)
    expect((await said('runs', '--yes')).code).toBe(2)
  })

  it('is read after it is trusted, and needs trust again after a change', async () => {
    const file = write('limit: 7\n', 'a/sluice.yaml')
    const lake = path.dirname(file)
    const trusted = await said('trust', lake)
    expect([trusted.code, trusted.err]).toEqual([0, expect.stringContaining(`${file} is trusted`)])
    const store = path.join(folder, 'state/sluice/trusted-configs')
    expect([statSync(store).mode & 0o777, readFileSync(store, 'utf8')]).toEqual([0o600, expect.stringContaining(file)])
    expect((await said('discover', '.')).started).toMatchObject([{ commandLine: `sluice discover . --config ${file}` }])
    expect((await said('trust', '--list')).err).toContain(file)
    writeFileSync(file, STRANGER)
    const changed = await said('fsck', 't')
    expect([changed.code, changed.err]).toEqual([2, expect.stringContaining('it has changed since it was trusted')])
    expect((await said('trust', lake)).code).toBe(0)
    expect(isTrusted(file, env)).toBe(true)
    expect((await said('trust', lake, '--remove')).err).toContain(`${file} is no longer trusted`)
    expect((await said('fsck', 't')).code).toBe(2)
    expect((await said('trust', '--list')).err).toContain('no file is trusted')
    expect((await said('trust', below)).code).toBe(2)
    expect((await said('trust', '--list', '--remove')).code).toBe(2)
  })

  it('is offered for trust in a terminal, and read only after yes', async () => {
    const file = write('limit: 7\n', 'a/sluice.yaml')
    for (const [answer, code] of [
      ['\n', 2],
      ['no\n', 2],
      ['y\n', 0],
    ] as const) {
      const { engine: playing } = engine()
      const terminal = fakeContext({ engine: playing, env, tty: true })
      const ended = main(['history', 't', '--database-url', 'sqlite:///c.db'], { ...terminal, searchFrom: below })
      for (const key of answer) terminal.stdin.push(key)
      expect([answer, await ended]).toEqual([answer, code])
      expect(terminal.err()).toContain('Trust its present content? [y/N]')
      expect(isTrusted(file, env)).toBe(code === 0)
    }
  })
})
