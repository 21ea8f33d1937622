import { describe, expect, it } from 'vitest'
import { canonicalPath, decodeOnce, dvId, resolveDataPath } from '../../src/delta/paths.ts'

const ROOT = 'file:///lake/t'

describe('canonicalPath', () => {
  it.each([
    ['x.parquet', 'x.parquet'],
    ['year=2024/x.parquet', 'year=2024/x.parquet'],
    ['./x.parquet', 'x.parquet'],
    ['a/../x.parquet', 'x.parquet'],
    ['a//x.parquet', 'a/x.parquet'],
    ['ts=2020-01-01 00:00:00/x.parquet', 'ts=2020-01-01 00:00:00/x.parquet'],
    ['a:b.parquet', 'a:b.parquet'],
  ])('resolves %s to a path below the root', (path, expected) => {
    expect(canonicalPath(path, ROOT)).toBe(expected)
  })

  it.each([
    ['p=%2520/x', 'p=%20/x'],
    ['p=a%25b', 'p=a%b'],
    ['a+b%20c', 'a+b c'],
    ['%zz-%4-%', '%zz-%4-%'],
    ['%zz%41', '%zzA'],
    ['%C3%A4%FF%61', 'ä%FFa'],
    ['%C3%28', '%C3('],
    ['%ED%A0%80', '%ED%A0%80'],
  ])('decodes %s once', (path, expected) => {
    expect(canonicalPath(path, ROOT)).toBe(expected)
    expect(decodeOnce(path)).toBe(expected)
  })

  it.each([
    '/lake/t/x',
    'file:/lake/t/x',
    'file:///lake/t/x',
    'file://localhost/lake/t/x',
    'FILE:/lake/t//x',
    '/lake/a/../t/./x',
  ])('resolves %s to a path below the root', (path) => {
    expect(canonicalPath(path, ROOT)).toBe('x')
  })

  it('gives a file outside the table a single path', () => {
    for (const path of [
      '/a/b',
      'file:/a/b',
      'file:///a/b',
      'file://localhost/a/b',
      '../../a/b',
      '../../../../a/b',
      '%2Fa%2Fb',
    ]) {
      expect(canonicalPath(path, ROOT)).toBe('file:///a/b')
    }
    expect(canonicalPath('/lake/t2/x', ROOT)).toBe('file:///lake/t2/x')
    expect(canonicalPath('/lake/t', ROOT)).toBe('file:///lake/t')
  })

  it('keeps scheme and bucket of objects', () => {
    expect(canonicalPath('s3://b/k', ROOT)).toBe('s3://b/k')
    expect(canonicalPath('S3A://b/k%20x', ROOT)).toBe('s3://b/k x')
    expect(canonicalPath('abfss://c@a.dfs.core.windows.net/k', ROOT)).toBe('abfss://c@a.dfs.core.windows.net/k')
  })

  it('accepts a bucket as root', () => {
    const root = 's3://b/lake/t'
    expect(canonicalPath('s3a://b/lake/t/x', root)).toBe('x')
    expect(canonicalPath('/lake/t/x', root)).toBe('x')
    expect(canonicalPath('a//x', root)).toBe('a//x')
    expect(canonicalPath('s3://c/lake/t/x', root)).toBe('s3://c/lake/t/x')
    expect(canonicalPath('../../../x', root)).toBe('s3://b/x')
    expect(canonicalPath('s3://b/lake/t/x', 's3://b/lake')).toBe('t/x')
  })

  it('compares with the decoded root', () => {
    const root = 'file:///my%20lake/t'
    expect(canonicalPath('/my%20lake/t/x', root)).toBe('x')
    expect(canonicalPath('file:///my%20lake/t/a%20b', root)).toBe('a b')
    expect(canonicalPath('../u/x', root)).toBe('file:///my lake/u/x')
  })

  it('does not treat an escaped scheme as a real one', () => {
    expect(canonicalPath('s3%3A%2F%2Fb%2Fk', 's3://c/t')).toBe('./s3://b/k')
    expect(canonicalPath('s3%3A%2F%2Fb%2Fk', 's3://c/t')).not.toBe(canonicalPath('s3://b/k', 's3://c/t'))
  })
})

describe('resolveDataPath', () => {
  it('returns decoded paths of files in the table', () => {
    expect(resolveDataPath('p=%2520/x', ROOT)).toEqual({ path: 'p=%20/x', inside: true })
    expect(resolveDataPath('file:/lake/t/x', ROOT)).toEqual({ path: 'x', inside: true })
  })

  it.each(['../x', '%2e%2e/x', '%2Fetc/passwd', 'a/../../x', '/lake/t/../x', 's3://b/k', 'file://other/lake/t/x'])(
    'reports that %s is outside the table',
    (path) => {
      expect(resolveDataPath(path, ROOT).inside).toBe(false)
    },
  )

  it('encodes paths outside the table, so that they can be opened as URIs', () => {
    expect(resolveDataPath('../a%20b%25%23', ROOT)).toEqual({ uri: 'file:///lake/a%20b%25%23', inside: false })
    expect(resolveDataPath('../\ud83d', ROOT)).toEqual({ uri: 'file:///lake/%EF%BF%BD', inside: false })
  })
})

describe('dvId', () => {
  const dv = { storageType: 'u', pathOrInlineDv: 'ab', sizeInBytes: 1, cardinality: 1 }
  it('includes an offset of 0, but not a missing one', () => {
    expect(dvId(null)).toBeNull()
    expect(dvId(undefined)).toBeNull()
    expect(dvId(dv)).toBe('uab')
    expect(dvId({ ...dv, offset: null })).toBe('uab')
    expect(dvId({ ...dv, offset: 0 })).toBe('uab@0')
    expect(dvId({ ...dv, offset: 85 })).toBe('uab@85')
  })
})
