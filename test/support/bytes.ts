/** Bytes in which every position can be told from its neighbours, different for every seed. */
export function bytes(length: number, seed = 1): Uint8Array {
  const content = new Uint8Array(length)
  let state = (seed * 2_654_435_761) >>> 0
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    content[i] = state >>> 24
  }
  return content
}

export function joined(chunks: Iterable<Uint8Array>): Uint8Array {
  return new Uint8Array(Buffer.concat([...chunks]))
}

export async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk.slice())
  return joined(all)
}

/** Equality without the minutes that a matcher takes for megabytes. */
export function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
