import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandLine } from '../../src/cli/parse/command-line.ts'
import { redactText, redactUrl, redactValue, secretsOfUrl } from '../../src/shared/redact.ts'
import { shellQuote } from '../../src/shared/shell.ts'
import { execFileSync } from 'node:child_process'

describe('redactUrl', () => {
  it.each([
    ['postgresql://app:s3cret@db:5432/catalog', 'postgresql://app@db:5432/catalog'],
    ['postgresql://app:p@ss@db/catalog', 'postgresql://app@db/catalog'],
    ['postgresql://app:p/w@db/catalog', 'postgresql://app@db/catalog'],
    ['postgresql://app:p@s/w@db/catalog', 'postgresql://app@db/catalog'],
    ['postgresql://app@db:5432/a@b', 'postgresql://app@db:5432/a@b'],
    ['postgresql://app@db/catalog', 'postgresql://app@db/catalog'],
    ['postgresql://db/catalog?user=app&password=x&sslmode=require', 'postgresql://db/catalog?user=app&sslmode=require'],
    ['postgresql://db/catalog?password=x', 'postgresql://db/catalog'],
    ['cassandra://a,b:c@h1,h2/ks?localDataCenter=dc1', 'cassandra://a,b@h1,h2/ks?localDataCenter=dc1'],
    ['sqlite:////data/me@home/x.db', 'sqlite:////data/me@home/x.db'],
    ['sqlite:///lake.db', 'sqlite:///lake.db'],
    ['s3://bucket/a:b@c', 's3://bucket/a:b@c'],
    ['/plain/path', '/plain/path'],
  ])('%s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown)
  })

  it('removes any random password', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9!$&*+,;=@:._~-]{6,20}$/), (password) => {
        const url = `postgresql://app:${password}@db:5432/catalog`
        expect(redactUrl(url)).toBe('postgresql://app@db:5432/catalog')
        expect(secretsOfUrl(url)).toContain(password)
      }),
    )
  })
})

describe('redactText', () => {
  it('removes passwords of URLs in sentences, and known secrets anywhere', () => {
    const secrets = secretsOfUrl('postgresql://app:p%40ssword@db/catalog')
    expect(secrets).toEqual(['p%40ssword', 'p@ssword'])
    expect(redactText('login with p@ssword to postgresql://app:p%40ssword@db/catalog failed', secrets)).toBe(
      'login with *** to postgresql://app@db/catalog failed',
    )
  })
  it('does not mask a short secret that is a common word', () => {
    expect(redactText('sqlite:///lake.db and db', ['db'])).toBe('sqlite:///lake.db and db')
  })
  it('masks values in nested data', () => {
    expect(redactValue({ a: ['x hunter22', 1, null], b: { c: 'mysql://u:pw@h/d' } }, ['hunter22'])).toEqual({
      a: ['x ***', 1, null],
      b: { c: 'mysql://u@h/d' },
    })
  })
})

describe('the printed command', () => {
  it('has the flags, and neither frontend flags nor the password', () => {
    const url = 'postgresql://app:s3cret@db/catalog'
    const argv = ['import', "./it's here", '--database-url', url, '--batch-size=500', '--ci', '--json', '-v']
    expect(commandLine(argv, { url, from: 'flag' }, secretsOfUrl(url))).toBe(
      `sluice import './it'\\''s here' --database-url postgresql://app@db/catalog --batch-size=500 -v`,
    )
    expect(commandLine(['import', 't', `--database-url=${url}`], { url, from: 'flag' }, [])).toBe(
      'sluice import t --database-url=postgresql://app@db/catalog',
    )
  })
  it('names the variable of the catalog URL', () => {
    const url = 'postgresql://app:s3cret@db/catalog'
    expect(commandLine(['import', 't'], { url, from: 'variable' }, secretsOfUrl(url))).toBe(
      'sluice import t --database-url "$SLUICE_DATABASE_URL"',
    )
    expect(commandLine(['import', '--', '-t'], { url, from: 'variable' }, [])).toBe(
      'sluice import --database-url "$SLUICE_DATABASE_URL" -- -t',
    )
    expect(commandLine(['import', 't', '--config', 'c.yaml'], { url, from: 'config' }, [])).toBe(
      'sluice import t --config c.yaml',
    )
  })
  it('is read back unchanged by a shell', () => {
    const words = ['plain', 'a b', "it's", '$HOME', '`x`', 'a\nb', '', '*', '~', '--x=a b', 'ü', '\\', '"']
    const printed = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${words.map(shellQuote).join(' ')}`], {
      encoding: 'utf8',
    })
    expect(printed.split('\0').slice(0, -1)).toEqual(words)
  })
})

it('does not print the condition of an erasure, which may name a person', () => {
  for (const where of [['--where', "email = 'ada@example.org'"], ["--where=email = 'ada@example.org'"]]) {
    const printed = commandLine(['archive', 'erase', '--table', 't', ...where, '--reason', 'T-1'], null, [])
    expect(printed).toBe('sluice archive erase --table t --where "$WHERE" --reason T-1')
  }
  // Other commands print the condition, which is needed to repeat them.
  expect(commandLine(['files', 't', '--where', 'a = 1'], null, [])).toBe("sluice files t --where 'a = 1'")
})
