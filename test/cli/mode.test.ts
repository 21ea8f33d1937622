import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { addonError, colorFlag, nodeVersionError, applyColor, wantsColor } from '../../src/cli/environment.ts'
import { chooseMode } from '../../src/cli/output/mode.ts'
import type { FrontendMode, ModeInput } from '../../src/cli/output/mode.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const terminal: ModeInput = {
  stdinTTY: true,
  stdoutTTY: true,
  env: { TERM: 'xterm-256color' },
  ci: false,
  json: false,
  quiet: false,
  input: true,
  tui: false,
}

describe('choice of the frontend', () => {
  it.each<[string, Partial<ModeInput>, FrontendMode]>([
    ['a terminal', {}, 'tui'],
    ['no TERM at all', { env: {} }, 'tui'],
    ['stdin is a file', { stdinTTY: false }, 'text'],
    ['stdout is a pipe', { stdoutTTY: false }, 'text'],
    ['TERM=dumb', { env: { TERM: 'dumb' } }, 'text'],
    ['CI=true', { env: { CI: 'true' } }, 'text'],
    ['CI=1', { env: { CI: '1' } }, 'text'],
    ['CI=false', { env: { CI: 'false' } }, 'tui'],
    ['CI is empty', { env: { CI: '' } }, 'tui'],
    ['GITHUB_ACTIONS', { env: { GITHUB_ACTIONS: 'true' } }, 'text'],
    ['--ci', { ci: true }, 'text'],
    ['--quiet', { quiet: true }, 'text'],
    ['--no-input', { input: false }, 'text'],
    ['--json in a terminal', { json: true }, 'json'],
    ['--json --ci', { json: true, ci: true }, 'json'],
    ['--json --quiet without a terminal', { json: true, quiet: true, stdoutTTY: false }, 'json'],
    ['--tui under CI, in a terminal', { tui: true, env: { CI: 'true' } }, 'tui'],
  ])('%s', (_case, change, mode) => {
    expect(chooseMode({ ...terminal, ...change })).toBe(mode)
  })

  it.each<[string, Partial<ModeInput>, RegExp]>([
    ['stdin is no terminal', { stdinTTY: false }, /--tui needs a terminal, and stdin is not a terminal/],
    ['stdout is no terminal', { stdoutTTY: false }, /--tui needs a terminal, and stdout is not a terminal/],
    ['TERM=dumb', { env: { TERM: 'dumb' } }, /TERM is dumb/],
    ['--json', { json: true }, /--tui and --json exclude each other/],
    ['--ci', { ci: true }, /--tui and --ci/],
    ['--no-input', { input: false }, /--tui and --no-input/],
  ])('--tui is refused: %s', (_case, change, message) => {
    expect(() => chooseMode({ ...terminal, tui: true, ...change })).toThrow(message)
  })
})

describe('colour', () => {
  it.each<[string, string | null, Record<string, string>, boolean, boolean]>([
    ['terminal', null, {}, true, true],
    ['pipe', null, {}, false, false],
    ['--color=always beats everything', 'always', { NO_COLOR: '1', TERM: 'dumb', FORCE_COLOR: '0' }, false, true],
    ['--color=never beats FORCE_COLOR', 'never', { FORCE_COLOR: '1' }, true, false],
    ['--color=auto asks the rest', 'auto', {}, true, true],
    ['FORCE_COLOR beats NO_COLOR', null, { FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
    ['FORCE_COLOR=0', null, { FORCE_COLOR: '0' }, true, false],
    ['NO_COLOR', null, { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR counts for nothing', null, { NO_COLOR: '' }, true, true],
    ['TERM=dumb', null, { TERM: 'dumb' }, true, false],
  ])('%s', (_case, flag, env, isTTY, color) => {
    expect(wantsColor(flag, env, isTTY)).toBe(color)
    const settled: Record<string, string | undefined> = { ...env }
    applyColor(flag === null ? [] : [`--color=${flag}`], settled, isTTY)
    expect(settled).not.toHaveProperty('NO_COLOR')
    expect(settled['FORCE_COLOR'] === '0').toBe(!color)
  })

  it('the last color flag before -- counts', () => {
    expect(colorFlag(['files', '--no-color', '--color', 'always', 'x'])).toBe('always')
    expect(colorFlag(['files', '--color=always', '--no-color'])).toBe('never')
    expect(colorFlag(['files', '--', '--no-color'])).toBeNull()
  })
})

it('an old Node version is refused, and the required one is named', () => {
  expect(nodeVersionError('v20.19.0')).toBeNull()
  expect(nodeVersionError('v24.1.0')).toBeNull()
  expect(nodeVersionError('v20.18.3')).toMatch(/needs Node 20\.19 or newer, but this is v20\.18\.3/)
  expect(nodeVersionError('v18.20.0')).toMatch(/needs Node 20\.19/)
})

it('an add-on that aborts under Node 24 is refused', () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'addon.node')
  writeFileSync(file, 'x_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_x')
  expect(addonError('v22.23.3', () => file)).toBeNull()
  expect(addonError('v24.21.0', () => file)).toMatch(/aborts: compile it with older ones/)
  writeFileSync(file, 'x_ZN4node25AddEnvironmentCleanupHookx')
  expect(addonError('v24.21.0', () => file)).toBeNull()
  expect(addonError('v24.21.0', () => `${file}-gone`)).toBeNull()
})
