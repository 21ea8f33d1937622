import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { programWords, withProgram } from '../../src/cli/output/program-name.ts'

describe('the program name in hints', () => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'sluice-name-')))
  afterAll(() => rmSync(folder, { recursive: true }))
  const script = path.join(folder, 'pkg/dist/cli/bin.js')
  mkdirSync(path.dirname(script), { recursive: true })
  mkdirSync(path.join(folder, 'bin'))
  writeFileSync(script, '')
  writeFileSync(path.join(folder, 'pkg/index.js'), '')
  symlinkSync(script, path.join(folder, 'bin/sluice'))
  mkdirSync(path.join(folder, 'node_modules/.bin'), { recursive: true })
  symlinkSync(script, path.join(folder, 'node_modules/.bin/sluice'))
  const ofNpm = `${path.join(folder, 'node_modules/.bin')}:/nowhere`
  const onPath = { PATH: `/nowhere:${path.join(folder, 'bin')}` }

  it.each([
    [{ npm_lifecycle_event: 'start' }, script, folder, 'npm start --'],
    [{ npm_command: 'exec', ...onPath }, script, folder, 'npx --no sluice'],
    [onPath, script, folder, 'sluice'],
    [{ PATH: '/nowhere' }, script, folder, 'node pkg/dist/cli/bin.js'],
    [{}, script, path.join(folder, 'pkg'), 'node .'],
    [{}, script, path.join(folder, 'bin'), `node ${script}`],
    [{ PATH: ofNpm, npm_lifecycle_event: 'migrate:resume' }, script, folder, 'npx --no sluice'],
    [{ PATH: ofNpm }, script, folder, 'sluice'],
    [{ SLUICE_PROGRAM: 'docker run sluice' }, script, folder, 'docker run sluice'],
  ])('%j', (env, started, cwd, words) => {
    expect(programWords({ env, script: started, cwd })).toBe(words)
  })

  it('replaces the name in commands only', () => {
    const named = (text: string): string => withProgram(text, 'npm start --')
    expect(named('0:46 next     sluice batch-import ./lake --recursive')).toBe(
      '0:46 next     npm start -- batch-import ./lake --recursive',
    )
    expect(named('0:46 note     open     sluice ./lake --database-url x')).toBe(
      '0:46 note     open     npm start -- ./lake --database-url x',
    )
    expect(named('an id that `sluice migration-status` prints')).toBe(
      'an id that `npm start -- migration-status` prints',
    )
    for (const text of [
      'run sluice nearer to the database',
      '/home/sluice copy',
      'sluice 0.1.0',
      'sluice copying',
      'sluice: a bug',
    ])
      expect(named(text)).toBe(text)
  })
})
