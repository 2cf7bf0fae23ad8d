/**
 * tusd's `hook.proto` (package `proto`), in the form of protobufjs: written down here, so that no file has to be found
 * at run time. Two fields are ours, far from the numbers that tusd counts up; its servers skip the one and never send
 * the other.
 */
export const HOOK_PROTO = {
  nested: {
    proto: {
      nested: {
        HookRequest: {
          fields: {
            type: { type: 'string', id: 1 },
            event: { type: 'Event', id: 2 },
            /** Ours: JSON, as `Carryon` in the other transports. */
            carryon: { type: 'string', id: 1000 },
          },
        },
        Event: {
          fields: {
            upload: { type: 'FileInfo', id: 1 },
            httpRequest: { type: 'HTTPRequest', id: 2 },
          },
        },
        FileInfo: {
          fields: {
            id: { type: 'string', id: 1 },
            size: { type: 'int64', id: 2 },
            sizeIsDeferred: { type: 'bool', id: 3 },
            offset: { type: 'int64', id: 4 },
            metaData: { keyType: 'string', type: 'string', id: 5 },
            isPartial: { type: 'bool', id: 6 },
            isFinal: { type: 'bool', id: 7 },
            partialUploads: { rule: 'repeated', type: 'string', id: 8 },
            storage: { keyType: 'string', type: 'string', id: 9 },
          },
        },
        FileInfoChanges: {
          fields: {
            id: { type: 'string', id: 1 },
            metaData: { keyType: 'string', type: 'string', id: 2 },
            storage: { keyType: 'string', type: 'string', id: 3 },
          },
        },
        HTTPRequest: {
          fields: {
            method: { type: 'string', id: 1 },
            uri: { type: 'string', id: 2 },
            remoteAddr: { type: 'string', id: 3 },
            header: { keyType: 'string', type: 'string', id: 4 },
          },
        },
        HookResponse: {
          fields: {
            httpResponse: { type: 'HTTPResponse', id: 1 },
            rejectUpload: { type: 'bool', id: 2 },
            stopUpload: { type: 'bool', id: 3 },
            changeFileInfo: { type: 'FileInfoChanges', id: 4 },
            /** Ours: tusd's proto has no way to refuse a termination. */
            rejectTermination: { type: 'bool', id: 1000 },
          },
        },
        HTTPResponse: {
          fields: {
            statusCode: { type: 'int64', id: 1 },
            header: { keyType: 'string', type: 'string', id: 2 },
            body: { type: 'string', id: 3 },
          },
        },
        HookHandler: {
          methods: {
            InvokeHook: { requestType: 'HookRequest', responseType: 'HookResponse' },
          },
        },
      },
    },
  },
} as const
