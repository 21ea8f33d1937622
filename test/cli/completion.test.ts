/** Shell completion: candidates from the declarations of commands, and from bash with the script. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/parse/command-list.ts'
import { completionAnswer } from '../../src/cli/completion/answer.ts'
import { completionOf } from '../../src/cli/completion/candidates.ts'
import { SCRIPTS } from '../../src/cli/completion/scripts.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { completedWords } from '../../src/cli/ui/completion.ts'

const bin = path.join(import.meta.dirname, '..', '..', 'dist', 'cli', 'bin.js')
/** Upper limit for slow machines; tests do not wait for it. */
const LONG_MS = 120_000
/** Multiplies all timeouts of the program by 60: no user waits here. */
const PATIENT = `const { setTimeout } = globalThis, { timeout } = AbortSignal
globalThis.setTimeout = (body, ms, ...given) => setTimeout(body, ms * 60, ...given)
AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms * 60)`
let folder = ''
let config = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice completion-'))
  config = path.join(folder, 'stores.yaml')
  writeFileSync(config, 'stores:\n  prod: postgresql://host/prod\n  proof: $PROOF\n  old: s3://bucket/old\n')
  mkdirSync(path.join(folder, 'lake house'))
  mkdirSync(path.join(folder, 'lakes'))
  writeFileSync(path.join(folder, 'lake.txt'), '')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Candidates for the last word of a line; it is empty after a blank. */
function words(line: string): readonly string[] {
  return completionOf(line.split(' ')).candidates.map(({ word }) => word)
}

describe('candidates', () => {
  it('are all commands, and folders with a lake for the UI', () => {
    expect(words('')).toEqual(COMMANDS.map(({ name }) => name))
    expect(completionOf([''])).toMatchObject({ places: 'folders' })
    expect(words('arch')).toEqual(['archive'])
    expect(words('--json quar')).toEqual(['quarantine'])
    expect(words('--schema quar')).toEqual([])
  })

  it.each<[string, readonly string[]]>([
    ['copy --ver', ['--verify', '--verbose']],
    ['copy --verify ', ['chunk', 'count', 'none']],
    ['copy --verify c', ['chunk', 'count']],
    ['copy --verify=c', ['--verify=chunk', '--verify=count']],
    ['copy --verify=chunk --ver', ['--verify', '--verbose']],
    ['copy --verify chunk --ver', ['--verbose']],
    ['copy --no-l', ['--no-look']],
    ['archive ', ['plan', 'run', 'list', 'verify', 'sweep', 'hold', 'release', 'adopt', 'erase', 'expire']],
    ['archive --from x li', ['list']],
    ['archive list --c', ['--count', '--config', '--ci', '--connect', '--confirm', '--color']],
    ['quarantine ', ['list', 'retry']],
    ['grants --role ', ['reader', 'importer', 'admin', 'worker', 'observer']],
    ['--color=a', ['--color=always', '--color=auto']],
    ['completion ', ['bash', 'zsh', 'fish']],
    ['nothing ', []],
    ['copy -- --ver', []],
  ])('sluice %s', (line, expected) => {
    expect(words(line)).toEqual(expected)
  })

  it('are names of stores if the line names a config file', () => {
    const line = (...more: string[]): readonly string[] =>
      completionOf(['--config', config, ...more]).candidates.map(({ word }) => word)
    expect(line('copy', '--from', '')).toEqual(['prod', 'proof', 'old'])
    expect(line('copy', '--from', 'pro')).toEqual(['prod', 'proof'])
    expect(line('copy', '--to=o')).toEqual(['--to=old'])
    expect(line('discover', 'pr')).toEqual(['prod', 'proof'])
    expect(completionOf(['copy', '--from', ''])).toMatchObject({ candidates: [], places: null })
    expect(completionOf(['--config', '/nowhere', 'copy', '--from', ''])).toMatchObject({ candidates: [], places: null })
  })

  it('are database files below the folder of the URL', async () => {
    const below = path.join(folder, 'below')
    mkdirSync(path.join(below, 'deeper'), { recursive: true })
    const database = new Database(path.join(below, 'shop.db'))
    database.exec('CREATE TABLE t (id INTEGER)')
    database.close()
    writeFileSync(path.join(below, 'shop.txt'), 'not a database')
    const may = async (word: string): Promise<readonly string[]> =>
      (await completedWords(['copy', '--from', word], {})).map(({ word: one }) => one)
    expect(await may(`sqlite:///${below}/`)).toEqual([`sqlite:///${below}/deeper/`, `sqlite:///${below}/shop.db`])
    expect(await may(`sqlite:///${below}/sh`)).toEqual([`sqlite:///${below}/shop.db`])
    expect(await may(`duckdb:///${below}/`)).toEqual([`duckdb:///${below}/deeper/`])
    expect(await may(`sqlite:///${below}/nothing/`)).toEqual([])
    expect(await may(`postgresql:///${below}/`)).toEqual([])
  })

  it('are files or folders if the option takes them', () => {
    expect(completionOf(['runs', '--config', ''])).toEqual({ candidates: [], places: 'files' })
    expect(completionOf(['export-log', 't', '--to', ''])).toEqual({ candidates: [], places: 'folders' })
    expect(completionOf(['import', ''])).toMatchObject({ candidates: [], places: 'folders' })
  })

  it('are printed even if the line is invalid', async () => {
    const { request } = await parseCommandLine(['completion', '--', 'copy', '--nosuch', '--verify', 'no'], {})
    expect(request).toEqual({ kind: 'help', text: 'none\t\n' })
    await expect(parseCommandLine(['completion', 'bsh'], {})).rejects.toThrow('the shell bsh is not supported (bash?)')
  })

  it('are tables, columns and partitions of the database of the line', { timeout: LONG_MS }, async () => {
    const file = path.join(folder, 'rides.db')
    const database = new Database(file)
    database.exec(`CREATE TABLE rides (id INTEGER PRIMARY KEY, at TEXT, "two words" TEXT); CREATE TABLE riders (id INTEGER PRIMARY KEY);
      INSERT INTO rides VALUES (1, '2021-02-03 04:05:06', NULL)`)
    database.close()
    const from = `sqlite:///${file}`
    writeFileSync(path.join(folder, 'rides.yaml'), `stores:\n  here: ${from}\n  away: $AWAY\n`)
    const asked = async (...given: readonly string[]): Promise<readonly string[]> =>
      (await completionAnswer(given, { AWAY: from }, LONG_MS)).split('\n').slice(0, -1)

    expect(await asked('archive', 'run', '--from', from, '--table', 'rid')).toEqual(['riders\t', 'rides\t'])
    expect(await asked('archive', 'run', '--table=ride', `--from=${from}`)).toEqual([])
    expect(await asked('archive', 'run', `--from=${from}`, '--table=rides')).toEqual(['--table=rides\t'])
    expect(await asked('archive', 'run', '--from', from, '--table', 'rides', '--by', '')).toEqual([
      'id\tINTEGER',
      'at\tTEXT',
      'two words\tTEXT',
    ])
    expect(await asked('archive', 'run', '--from', from, '--table', 'nosuch', '--by', '')).toEqual([])
    for (const store of ['here', 'away'])
      expect(
        await asked(
          '--config',
          path.join(folder, 'rides.yaml'),
          'copy',
          '--from',
          store,
          '--table',
          'riders',
          '--columns',
          'i',
        ),
      ).toEqual(['id\tINTEGER'])

    const line = ['--from', from, '--table', 'rides', '--partition', '']
    expect(await asked('archive', 'verify', ...line)).toEqual([])
    const run = [
      'archive',
      'run',
      '--from',
      from,
      '--table',
      'rides',
      '--by',
      'at',
      '--older-than',
      '4q',
      '--to',
      path.join(folder, 'out'),
    ]
    execFileSync(process.execPath, [bin, ...run, '--no-detach', '--quiet'])
    expect(await asked('archive', 'verify', ...line)).toEqual(['2021-Q1\tPUBLISHED'])
    expect(await asked('restore', ...line.slice(0, 2), '--partition', '2021')).toEqual(['2021-Q1\tPUBLISHED'])
    expect(await asked('restore', '--from', `sqlite:///${file}.missing`, '--table', '')).toEqual([])
    expect(existsSync(`${file}.missing`)).toBe(false)
  })

  it('are the choices of every option that declares them', () => {
    for (const { name, takes } of COMMANDS)
      for (const { name: option, operand, choices = [] } of takes)
        if (operand !== true && choices.length > 0)
          expect(completionOf([name, `--${option}`, '']).candidates.map(({ word }) => word)).toEqual(choices)
  })
})

describe('bash', () => {
  /** Candidates that readline gets for lines with the cursor at the end. */
  function completed(...lines: readonly string[]): readonly (readonly string[])[] {
    const program = path.join(folder, 'sluice')
    const patient = path.join(folder, 'patient.mjs')
    writeFileSync(patient, PATIENT)
    writeFileSync(
      program,
      `#!/bin/sh\nexec '${process.execPath}' --import '${pathToFileURL(patient).href}' '${bin}' "$@"\n`,
    )
    chmodSync(program, 0o755)
    // readline splits a line at blanks, and at the characters of COMP_WORDBREAKS.
    const ask = (line: string): string => {
      const cut = [...line.matchAll(/[=:]|(?:'[^']*'?|\\.|[^\s=:])+/g)].map(([word]) => word)
      if (/\s$/.test(line)) cut.push('')
      const array = cut.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
      const quoted = `'${line.replaceAll("'", String.raw`'\''`)}'`
      return `COMP_LINE=${quoted} COMP_POINT=${line.length}; COMP_WORDS=(${array}); COMP_CWORD=${cut.length - 1}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"; echo ---`
    }
    const script = `source <(sluice completion bash); complete -p sluice; ${lines.map(ask).join('; ')}`
    const text = execFileSync('bash', ['--norc', '--noprofile', '-c', script], {
      cwd: folder,
      env: { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` },
      encoding: 'utf8',
    })
    const [first = '', ...answers] = text.split(/(?<=complete -F _sluice sluice)\n|---\n/)
    expect(first).toBe('complete -F _sluice sluice')
    return answers.slice(0, -1).map((answer) => answer.split('\n').filter((line) => line !== ''))
  }

  it('completes commands, actions, flags, choices, stores and folders', { timeout: LONG_MS }, () => {
    const [command, action, choice, joined, store, folders, places] = completed(
      'sluice cop',
      'sluice archive ve',
      'sluice copy --where "a = 1" --verify ',
      'sluice copy --verify=co',
      'sluice --config stores.yaml copy --from pr',
      'sluice import la',
      'sluice runs --config st',
    )
    expect(command).toEqual(['copy'])
    expect(action).toEqual(['verify'])
    expect(choice).toEqual(['chunk', 'count', 'none'])
    // readline has split the flag off.
    expect(joined).toEqual(['count'])
    expect(store).toEqual(['prod', 'proof'])
    expect(folders?.toSorted()).toEqual(['lake house', 'lakes'])
    expect(places).toEqual(['stores.yaml'])
  })

  it('completes names that need quotes, in the quotes that are typed', { timeout: LONG_MS }, () => {
    const file = path.join(folder, 'odd names.db')
    const database = new Database(file)
    database.exec(`CREATE TABLE "Book ing's" (id INTEGER PRIMARY KEY); CREATE TABLE plain (id INTEGER PRIMARY KEY)`)
    database.close()
    const from = `--from 'sqlite:///${file}'`
    const answers = completed(
      `sluice copy ${from} --table Bo`,
      `sluice copy ${from} --table "Bo`,
      `sluice copy ${from} --table 'Bo`,
      `sluice copy ${from} --table=Book\\ i`,
      `sluice copy ${from} --table pl`,
    )
    expect(answers).toEqual([
      [String.raw`Book\ ing\'s`],
      ["Book ing's"],
      [String.raw`Book ing'\''s`],
      [String.raw`Book\ ing\'s`],
      ['plain'],
    ])
  })

  it('parses its script, and every script calls sluice completion', () => {
    execFileSync('bash', ['-n'], { input: SCRIPTS.bash })
    for (const script of Object.values(SCRIPTS)) expect(script).toMatch(/completion (?:raw )?--/)
  })
})
