/** Every option that takes a local path refuses URLs, before anything is created. */
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/parse/command-list.ts'
import { localPlaces, parseCommandLine } from '../../src/cli/parse/parse.ts'
import { parseCatalogUrl } from '../../src/engine/run/catalog-url.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { CommandDeclaration } from '../../src/engine/run/operations/option.ts'
import { SluiceError } from '../../src/shared/errors.ts'

/** Options whose help mentions files, folders or paths, but whose value is no local path. */
const NO_PLACES = new Set([
  'age',
  'alert',
  'conf',
  'file-size',
  'database-url',
  'exclude',
  'from',
  'ledger',
  'path',
  'retention',
  'schema',
  'seed',
  'table',
  'table-id',
  'timestamp',
  'wait',
])

/** Options of a command whose value is a text; global options are listed under `import`. */
function textOptions({ name, takes }: CommandDeclaration): readonly string[] {
  const own = takes.filter(({ type, operand }) => operand !== true && (type === 'text' || type === 'list'))
  return [...own.map((option) => option.name), ...(name === 'import' ? ['config', 'log-file'] : [])]
}

async function refusalOf(words: readonly string[]): Promise<unknown> {
  return parseCommandLine(words, {}).then(
    () => 'taken',
    (error: unknown) => (error instanceof SluiceError ? error.code : error),
  )
}

describe('local paths', () => {
  it('are declared for every option whose help mentions a file, folder or path', async () => {
    const unknown = new Set<string>()
    for (const command of COMMANDS) {
      const { name, takes } = command
      const { request } = await parseCommandLine([name, '--help=all'], {})
      const help = request.kind === 'help' ? request.text.replaceAll(/\n {16,}/g, ' ') : ''
      for (const option of textOptions(command)) {
        const known = localPlaces(name)[option] ?? takes.find((declared) => declared.name === option)?.completes
        const described = new RegExp(`--${option}\\b.*`).exec(help)?.[0] ?? ''
        const speaks = /\b(?:files?|folders?|paths?|prefix)\b/.test(described)
        if (speaks && known === undefined && !NO_PLACES.has(option)) unknown.add(`${name} --${option}`)
      }
    }
    expect([...unknown].toSorted()).toEqual([])
  })

  it('refuse URLs in every command that declares them', async () => {
    const DB = ['--database-url', 'sqlite:///none.db']
    let asked = 0
    for (const command of COMMANDS) {
      const { name, operands } = command
      for (const option of textOptions(command)) {
        if (localPlaces(name)[option] === undefined) continue
        for (const value of ['s3://lake/out', 's3:/lake/out', 'file:///tmp/out', 'https://example.com/x']) {
          const operand = operands.startsWith('<') ? ['t'] : []
          const code = await refusalOf([name, ...operand, `--${option}=${value}`, ...DB])
          expect(code, `${name} --${option}=${value}`).toMatch(/^BAD_(FLAG|CONFIG)$/)
          asked++
        }
      }
    }
    expect(asked).toBeGreaterThan(12)
    expect(existsSync('s3:')).toBe(false)
  })

  it.each(['sqlite', 'duckdb'])('of a %s database refuse URLs', async (kind) => {
    for (const url of [
      `${kind}:///s3://lake/c.db`,
      `${kind}:///s3:/lake/c.db`,
      `${kind}:///https://example.com/c.db`,
    ]) {
      expect(() => parseCatalogUrl(url)).toThrow(/a file of this machine/)
      await expect(openCopyStore(url, { mode: 'write' })).rejects.toThrow(/a file of this machine/)
    }
    expect(existsSync('s3:')).toBe(false)
  })
})
