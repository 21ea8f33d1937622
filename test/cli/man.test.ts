/** Manual pages are generated from the declarations, and the package lists each of them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/parse/command-list.ts'
import { manFile, manPage } from '../../src/cli/help/man.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'

const PAGES = [null, ...COMMANDS].map((command) => [manFile(command?.name ?? null), manPage(command, '0.1.0')] as const)
const groff = spawnSync('groff', ['--version']).status === 0

describe('the manual', () => {
  it('has a page for the program and for each command in the package', () => {
    const { man, scripts } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
      readonly man: readonly string[]
      readonly scripts: Readonly<Record<string, string>>
    }
    expect(man).toEqual(PAGES.map(([file]) => `./dist/man/${file}`))
    expect(scripts['prepack']).toContain('make-man')
    expect(scripts['make-man']).toBe('node scripts/make-man.mjs')
  })
  it.each(PAGES)('%s is valid roff', (_file, page) => {
    expect(page).toMatch(/^\.TH .*\n\.SH NAME\n/)
    expect(page).toMatch(/\.SH EXIT STATUS/)
    // Only known requests begin with a dot.
    expect(page.match(/^\.(?!TH |SH |TP$|PP$|nf$|fi$)/m)).toBeNull()
    expect(page).toMatch(/^[\n\u0020-\u007e]*$/)
  })
  it.runIf(groff)('is rendered without a warning, with every flag', () => {
    const page = PAGES.map(([, text]) => text).join('')
    const { stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-P-c', '-ww'], { input: page, encoding: 'utf8' })
    expect(stderr).toBe('')
    for (const { takes } of COMMANDS)
      for (const { name, operand, hidden } of takes)
        if (operand !== true && hidden !== true) expect(stdout.replaceAll(/.\u0008/g, '')).toContain(`--${name}`)
  })
  it('is printed by a command', async () => {
    const { request } = await parseCommandLine(['man', 'archive'], {})
    expect(request).toMatchObject({ kind: 'help' })
    expect(request.kind === 'help' ? request.text : '').toMatch(/^\.TH SLUICE\\-ARCHIVE 1/)
    await expect(parseCommandLine(['man', 'archiv'], {})).rejects.toThrow('there is no command archiv (archive?)')
  })
})
