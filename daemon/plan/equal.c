/* Trees are equal where they are the same bytes, packed, once their places are forgotten. */
#include "equal.h"

#include "allocate.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

static bool forget_place(void *context, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *place =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "location");

    (void)context;
    if (place != NULL)
        *(int32_t *)(void *)((char *)message + place->offset) = 0;
    return true;
}

/* A copy of the message without places, packed; the caller frees. */
static uint8_t *pack(const ProtobufCMessage *message, size_t *size)
{
    const struct tree_visitor visitor = {.message = forget_place};
    uint8_t *packed = allocate(NULL, protobuf_c_message_get_packed_size(message) + 1, 1);
    size_t length = protobuf_c_message_pack(message, packed);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, length, packed);

    if (copy == NULL)
        abort();
    tree_walk(copy, &visitor);
    *size = protobuf_c_message_pack(copy, packed); /* never longer than it was */
    protobuf_c_message_free_unpacked(copy, NULL);
    return packed;
}

bool tree_equal(const ProtobufCMessage *left, const ProtobufCMessage *right)
{
    size_t left_size, right_size;
    uint8_t *left_packed, *right_packed;
    bool equal;

    if (left->descriptor != right->descriptor)
        return false;
    left_packed = pack(left, &left_size);
    right_packed = pack(right, &right_size);
    equal = left_size == right_size && memcmp(left_packed, right_packed, left_size) == 0;
    free(left_packed);
    free(right_packed);
    return equal;
}
