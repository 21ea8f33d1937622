import { chmodSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { LogListingEntry } from '../../src/model/lake/log-store.ts'
import { openLocalLog, localSourceError } from '../../src/stores/local/index.ts'
import { NEVER, codeOf, put, temporaryFolder } from './delta-fixtures.ts'

async function list(
  folder: string,
  below: string,
  options: { after?: string; attributes?: boolean } = {},
): Promise<LogListingEntry[]> {
  const found: LogListingEntry[] = []
  const { after, attributes = false } = options
  const entries = openLocalLog(folder).list(below, {
    attributes,
    signal: NEVER,
    ...(after === undefined ? {} : { after }),
  })
  for await (const entry of entries) found.push(entry)
  return found
}

async function bytes(folder: string, path: string, range: { start?: number; end?: number } = {}): Promise<Buffer[]> {
  const found: Buffer[] = []
  for await (const chunk of openLocalLog(folder).read(path, { signal: NEVER, ...range })) found.push(chunk)
  return found
}

describe('a log in a local folder', () => {
  test('names are in byte order, without folders', async () => {
    const folder = temporaryFolder()
    for (const name of ['b', 'a', 'Z', '\u{1F600}', '\uFFFD', 'é', '.h']) put(folder, `log/${name}`, 'x')
    mkdirSync(join(folder, 'log', 'sub'))
    symlinkSync(join(folder, 'log', 'a'), join(folder, 'log', 'link'))
    symlinkSync(join(folder, 'nowhere'), join(folder, 'log', 'lost'))
    const names = (await list(folder, 'log')).map(({ name }) => name)
    expect(names).toEqual(['.h', 'Z', 'a', 'b', 'link', 'é', '\uFFFD', '\u{1F600}'])
    expect((await list(folder, 'log', { after: 'a' })).map(({ name }) => name)).toEqual(names.slice(3))
    expect(await list(folder, 'log/none')).toEqual([])
    expect(await list(join(folder, 'none'), '')).toEqual([])
  })

  test('sizes and times are read on request', async () => {
    const folder = temporaryFolder()
    put(folder, 'a', 'four', 1_700_000_000_123)
    expect(await list(folder, '')).toEqual([{ name: 'a' }])
    const [entry] = await list(folder, '', { attributes: true })
    expect(entry?.size).toBe(4)
    expect(Math.abs((entry?.modified ?? 0) - 1_700_000_000_123)).toBeLessThanOrEqual(1)
    expect(await openLocalLog(folder).head('a', NEVER)).toMatchObject({ size: 4 })
    expect(await openLocalLog(folder).head('b', NEVER)).toBeNull()
  })

  test('ranges are read, and large files in pieces', async () => {
    const folder = temporaryFolder()
    put(folder, 'a', '0123456789')
    expect(Buffer.concat(await bytes(folder, 'a', { start: 2, end: 5 })).toString()).toBe('234')
    expect(Buffer.concat(await bytes(folder, 'a', { start: 8, end: 99 })).toString()).toBe('89')
    expect(await bytes(folder, 'a', { start: 50 })).toEqual([])
    const big = Buffer.alloc(5 << 20, 7)
    put(folder, 'big', big)
    const chunks = await bytes(folder, 'big')
    expect(chunks.length).toBeGreaterThan(1)
    expect(Buffer.concat(chunks).equals(big)).toBe(true)
  })

  test('two paths to a folder have the same root', () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'a b#é%'))
    symlinkSync(join(folder, 'a b#é%'), join(folder, 'link'))
    const root = openLocalLog(join(folder, 'link')).root
    expect(root).toBe(openLocalLog(`${folder}/x/../a b#é%/`).root)
    expect(root).toBe(pathToFileURL(realpathSync(join(folder, 'a b#é%'))).href)
    expect(openLocalLog(join(folder, 'link')).label).toBe(join(folder, 'link'))
  })

  test('no file outside the folder is read', async () => {
    const folder = temporaryFolder()
    put(folder, 'secret', 'x')
    mkdirSync(join(folder, 'table'))
    expect(await codeOf(bytes(join(folder, 'table'), '../secret'))).toBe('PATH_ESCAPES')
    expect(await codeOf(bytes(join(folder, 'table'), 'a/../../secret'))).toBe('PATH_ESCAPES')
  })

  test('errors have different codes', async () => {
    const folder = temporaryFolder()
    expect(await codeOf(bytes(folder, 'none'))).toBe('SOURCE_GONE')
    mkdirSync(join(folder, 'sub'))
    expect(await codeOf(bytes(folder, 'sub'))).toBe('SOURCE_IO')
    const denied = localSourceError(Object.assign(new Error('no'), { code: 'EACCES' }), 'x')
    expect(denied).toMatchObject({
      code: 'SOURCE_DENIED',
      message: 'Permission denied',
      reason: 'File system or database permissions',
      hint: 'Verify user permissions on files and database',
    })
    expect(localSourceError(Object.assign(new Error('io'), { code: 'EIO' }), 'x')).toMatchObject({
      code: 'SOURCE_IO',
      retryable: true,
    })
    await expect(codeOf(openLocalLog(folder).localFile('none', NEVER))).resolves.toBe('SOURCE_GONE')
  })

  test('a log file that vanishes between listing and reading has a hint to run again', async () => {
    const folder = temporaryFolder()
    const hint = expect.stringContaining('run the same command again') as string
    const log = openLocalLog(folder)
    await expect(log.localFile('_delta_log/none', NEVER)).rejects.toMatchObject({ code: 'SOURCE_GONE', hint })
    await expect(bytes(folder, '_delta_log/none')).rejects.toMatchObject({ code: 'SOURCE_GONE', hint })
    await expect(bytes(folder, 'none')).rejects.toMatchObject({ code: 'SOURCE_GONE', hint: undefined })
  })

  // Root can read every file, so this error cannot be caused as root.
  test.skipIf(process.getuid?.() === 0)('an unreadable file is SOURCE_DENIED', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'a'), 'x')
    chmodSync(join(folder, 'a'), 0)
    expect(await codeOf(bytes(folder, 'a'))).toBe('SOURCE_DENIED')
  })
})
