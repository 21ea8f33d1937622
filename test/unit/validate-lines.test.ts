import { describe, expect, it } from 'vitest'
import { chooseVersions } from '../../src/catalog/validate/index.ts'
import { objectsOf, linePieces } from '../../src/catalog/validate/read-lines.ts'
import { windowOf, type Checkpoint, type LogFile, type LogFolder } from '../../src/catalog/validate/window.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { SluiceError } from '../../src/shared/errors.ts'

describe('objects of a file', () => {
  it('are found over several lines, and have the number of their first line', () => {
    const content = '{"a":1}\n\n{\n "b": {"c": "}{"}\r\n}\n   \n{"d":[\n1]}'
    expect(objectsOf(content, 'f').map(({ line, raw }) => [line, raw])).toEqual([
      [1, '{"a":1}'],
      [3, '{\n "b": {"c": "}{"}\n}'],
      [7, '{"d":[\n1]}'],
    ])
  })

  it('keep their escapes, except half of a surrogate pair, which no text can hold', () => {
    const raw = String.raw`{"a":"\ud83d","b":"\\ud83d","c":"\ud83d\ude00","d":"\ude00\n\u00e9"}`
    const [one] = objectsOf(raw, 'f')
    expect(one?.raw).toBe(raw)
    expect(one?.text).toBe(String.raw`{"a":"\ufffd","b":"\\ud83d","c":"\ud83d\ude00","d":"\ufffd\n\u00e9"}`)
  })

  it('must be complete', () => {
    expect(() => objectsOf('{"a":1}\n{"b":', 'f.json')).toThrow(SluiceError)
    expect(() => objectsOf('{"a":1}\n{"b":', 'f.json')).toThrow('f.json:2')
  })
})

describe('pieces of a file', () => {
  const store = (chunks: readonly string[]): LogStore =>
    ({
      read: async function* () {
        for (const chunk of chunks) yield Buffer.from(chunk)
      },
    }) as unknown as LogStore

  it('are whole lines wherever chunks end, and the digest is of all bytes', async () => {
    const pieces = linePieces(store(['\ufeffone\ntw', 'o', '\nthree\nfo', 'ur']), 'f', new AbortController().signal)
    const seen: [number, string][] = []
    let next = await pieces.next()
    for (; next.done !== true; next = await pieces.next()) seen.push([next.value.firstLine, next.value.body.toString()])
    expect(seen).toEqual([
      [1, 'one\n'],
      [2, 'two\nthree\n'],
      [4, 'four'],
    ])
    expect(next.value.bytes).toBe(Buffer.byteLength('\ufeffone\ntwo\nthree\nfour'))
    expect(next.value.digest).toMatch(/^[0-9a-f]{64}$/)
  })

  it('must be UTF-8', async () => {
    const broken = {
      read: async function* () {
        yield Buffer.from([0x7b, 0xff, 0x0a])
      },
    } as unknown as LogStore
    await expect(linePieces(broken, 'f', new AbortController().signal).next()).rejects.toThrow('not valid UTF-8')
  })
})

describe('the checked versions', () => {
  const file = (version: number): LogFile => ({ version, name: `${version}`, size: 1, modified: version })
  const checkpoint = (version: number): Checkpoint => ({ version, form: 'classic', files: [file(version)] })
  const folder = (commits: readonly number[], checkpoints: readonly number[]): LogFolder => ({
    commits: new Map(commits.map((version) => [version, file(version)])),
    checkpoints: checkpoints.map(checkpoint),
    incomplete: [],
    crcs: new Map(),
    hasLastCheckpoint: false,
    compacted: 0,
    latest: Math.max(...commits, ...checkpoints),
  })
  const found = (commits: readonly number[], checkpoints: readonly number[], version: number): unknown => {
    const window = windowOf(folder(commits, checkpoints), version, new Set())
    return [
      window.start,
      window.base?.version ?? null,
      window.commits.map((c) => c.version),
      window.history.map((c) => c.version),
    ]
  }

  it('begin at 0 if all commits exist, whatever the checkpoints', () => {
    expect(found([0, 1, 2], [1], 2)).toEqual([0, null, [0, 1, 2], []])
    expect(found([0, 1, 2, 3], [], 1)).toEqual([0, null, [0, 1], []])
  })

  it('begin at the oldest checkpoint with all later commits', () => {
    expect(found([8, 9, 11, 12, 13], [10, 12], 13)).toEqual([10, 10, [11, 12, 13], [8, 9]])
    expect(found([9, 10, 11, 12], [10, 12], 12)).toEqual([10, 10, [11, 12], [9, 10]])
    expect(found([], [7], 7)).toEqual([7, 7, [], []])
  })

  it('begin at a later checkpoint if one is damaged, and an error names missing versions', () => {
    const all = folder([9, 10, 11, 12], [10, 12])
    expect(windowOf(all, 12, new Set([all.checkpoints[0] as Checkpoint])).start).toBe(12)
    expect(() => windowOf(all, 12, new Set(all.checkpoints))).toThrow('version 12 can no longer be built')
    expect(() => found([0, 1, 3], [], 3)).toThrow(SluiceError)
  })
})

describe('versions to check', () => {
  it('are the latest, the first, the one before the latest, and random ones', () => {
    expect(chooseVersions({ from: 5, version: 5 }, 3, () => 0.5)).toEqual([5])
    expect(chooseVersions({ from: 0, version: 3 }, 3, () => 0.5)).toEqual([0, 1, 2, 3])
    expect(chooseVersions({ from: 0, version: 100 }, 0, () => 0.5)).toEqual([100])
    expect(chooseVersions({ from: 0, version: 100 }, 2, () => 0.5)).toEqual([0, 99, 100])
    expect(chooseVersions({ from: 10, version: 109 }, 3, () => 0.5)).toEqual([10, 60, 108, 109])
    // A random source that repeats itself must not cause an endless loop.
    expect(chooseVersions({ from: 0, version: 100 }, 9, () => 0.999)).toEqual([0, 99, 100])
  })
})
