/**
 * The completion scripts in real shells: fish prints its candidates, zsh runs in a pseudo terminal. Tests of a missing
 * shell are skipped.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import Database from 'better-sqlite3'
import * as nodePty from 'node-pty'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '..', '..')
const bin = path.join(root, 'dist', 'cli', 'bin.js')
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0
let folder = ''
let catalog = ''
let source = ''
let env: Record<string, string> = {}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice shells-'))
  const program = path.join(folder, 'sluice')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`)
  chmodSync(program, 0o755)
  mkdirSync(path.join(folder, 'deep house'))
  mkdirSync(path.join(folder, 'deeper'))
  writeFileSync(path.join(folder, 'deep.yaml'), 'stores:\n  prod: postgresql://host/prod\n')
  source = `sqlite:///${path.join(folder, 'shop.db')}`
  const database = new Database(path.join(folder, 'shop.db'))
  database.exec(
    `CREATE TABLE "my trips" (id INTEGER PRIMARY KEY, at TEXT); CREATE TABLE other (id INTEGER PRIMARY KEY)`,
  )
  database.close()
  catalog = `sqlite:///${path.join(folder, 'catalog.db')}`
  for (const table of ['sales/orders', 'crm/customers'])
    execFileSync(process.execPath, [
      bin,
      'import',
      path.join(root, 'fixtures', 'lake', table),
      '--database-url',
      catalog,
      '--quiet',
    ])
  env = {
    PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    XDG_STATE_HOME: path.join(folder, 'state'),
    XDG_CONFIG_HOME: path.join(folder, 'config'),
    SLUICE_DATABASE_URL: catalog,
    DATABASE_URL: source,
    TERM: 'xterm',
    LANG: 'C.UTF-8',
  }
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** Typed text, and the line after completion if one candidate fits. */
const LINES: readonly (readonly [typed: string, becomes: string])[] = [
  ['sluice archive veri', 'sluice archive verify'],
  ['sluice man compl', 'sluice man completion'],
  ['sluice copy --verify cou', 'sluice copy --verify count'],
  ['sluice copy --verify=cou', 'sluice copy --verify=count'],
  ['sluice copy --with indexes,const', 'sluice copy --with indexes,constraints'],
  ['sluice --config deep.yaml copy --from pr', 'sluice --config deep.yaml copy --from prod'],
  ['sluice files sal', 'sluice files sales/orders'],
  ['sluice history crm/', 'sluice history crm/customers'],
  ['sluice index sales/orders order_i', 'sluice index sales/orders order_id'],
  ['sluice copy --table oth', 'sluice copy --table other'],
  ['sluice copy --table my', 'sluice copy --table my\\ trips'],
  ['sluice copy --table other --key i', 'sluice copy --table other --key id'],
  ['sluice import deepe', 'sluice import deeper/'],
]

describe.skipIf(!has('fish'))('fish', () => {
  it.each(LINES)('%s', (typed, becomes) => {
    const text = execFileSync(
      'fish',
      ['--no-config', '-c', 'sluice completion fish | source; complete -C $argv[1]', typed],
      { cwd: folder, env, encoding: 'utf8' },
    )
    const words = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t')[0])
    // fish adds the quotes itself.
    const wanted = becomes.slice(typed.replace(/\S*$/, '').length).replaceAll('\\ ', ' ')
    expect(words).toEqual([wanted])
  })
})

describe.skipIf(!has('zsh'))('zsh', () => {
  it('prints how to set completion up if compinit is missing', () => {
    const { stderr } = spawnSync('zsh', ['-f', '-c', 'source <(sluice completion zsh)'], { env, encoding: 'utf8' })
    expect(stderr).toBe('sluice completion zsh: put  autoload -Uz compinit; compinit  above this line\n')
  })

  it('completes each line', { timeout: 120_000 }, async () => {
    const shell = nodePty.spawn('zsh', ['-f', '-i'], { cols: 200, rows: 50, cwd: folder, env })
    let text = ''
    shell.onData((data) => (text += data))
    const until = async (wanted: () => boolean, what: string): Promise<void> => {
      const end = Date.now() + 20_000
      while (!wanted()) {
        if (Date.now() > end) throw new Error(`never seen: ${what}\n${JSON.stringify(text.slice(-1500))}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
    // zsh writes the line after tab to a file, so that the screen need not be parsed.
    const said = path.join(folder, 'said')
    shell.write(
      `PS1='ready> '; autoload -Uz compinit; compinit -D; source <(sluice completion zsh); tell() { print -rn -- "$BUFFER" > '${said}.new'; mv '${said}.new' '${said}'; BUFFER=''; }; zle -N tell; bindkey '^T' tell; echo se""tup\r`,
    )
    await until(() => text.includes('setup'), 'setup')
    const { existsSync, readFileSync } = await import('node:fs')
    const became: string[] = []
    for (const [typed] of LINES) {
      rmSync(said, { force: true })
      shell.write(`${typed}\t`)
      shell.write('\u0014')
      await until(() => existsSync(said), typed)
      became.push(readFileSync(said, 'utf8').trimEnd())
    }
    shell.write('\u0004')
    shell.kill()
    expect(became).toEqual(LINES.map(([, becomes]) => becomes))
  })
})
